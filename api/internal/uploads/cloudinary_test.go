package uploads_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// breakFor is how long the breaker of a test stays open.
const breakFor = 4 * time.Second

// account is a store in a stand-in at an address.
func account(t *testing.T, address string) media.Store {
	t.Helper()
	store, err := cloudinary.New(cloudinary.Options{
		CloudName: mediatest.CloudName, APIKey: mediatest.APIKey, APISecret: mediatest.APISecret, Address: address,
		StallAfter: 200 * time.Millisecond, BreakFor: breakFor,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// startWith is start with a store for new uploads.
func startWith(t *testing.T, store func(dir string) media.Store) *fixture {
	t.Helper()
	return start(t, func(o *apitest.Options) { o.Media = store(o.MediaDir) })
}

// TestCloudinaryLife: what Cloudinary keeps has addresses of its own.
func TestCloudinaryLife(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	f := startWith(t, func(string) media.Store { return account(t, cloud.URL) })
	const delivery = "https://res.cloudinary.com/demo/"
	picture := f.upload(t, "images", f.user, part{"images", "a.png", mediatest.PNG(400, 300)})
	files, _ := picture.At("files").([]any)
	if picture.Status != http.StatusOK || len(files) != 1 {
		t.Fatalf("picture: %d %s", picture.Status, picture.Text)
	}
	file, _ := files[0].(map[string]any)
	id, _ := file["publicId"].(string)
	if file["url"] != delivery+"image/upload/v1/"+id || file["thumbnail"] != delivery+"image/upload/c_fill,f_auto,h_200,q_auto:good,w_300/v1/"+id {
		t.Errorf("picture: %v", file)
	}
	reply := f.Post(t, "/api/uploads/optimize-url", f.other, map[string]any{"publicId": id, "width": 900, "responsive": true})
	set, _ := reply.At("responsive").([]any)
	if reply.At("optimizedUrl") != delivery+"image/upload/c_fill,f_auto,q_auto:good,w_400/v1/"+id || reply.At("limited") != true || reply.At("height") != 300.0 || len(set) != 2 {
		t.Errorf("optimize: %s", reply.Text)
	}
	unknown := f.Post(t, "/api/uploads/optimize-url", f.user, map[string]any{"publicId": "etrainer/images/old", "width": 300, "height": 200})
	if unknown.At("optimizedUrl") != delivery+"image/upload/c_fill,f_auto,h_200,q_auto:good,w_300/v1/etrainer/images/old" {
		t.Errorf("a file of the Node backend: %s", unknown.Text)
	}
	film := f.upload(t, "videos", f.user, part{"video", "a.mp4", mediatest.Sample(mediafile.MP4)})
	filmID, _ := film.At("file", "publicId").(string)
	if film.Status != http.StatusOK || film.At("file", "duration") != 4.5 ||
		film.At("file", "thumbnail") != delivery+"video/upload/c_fill,f_jpg,h_200,q_auto:good,so_50p,w_300/v1/"+filmID+".jpg" {
		t.Errorf("film: %d %s", film.Status, film.Text)
	}
	usage := f.Get(t, "/api/uploads/stats/usage", f.admin)
	for path, want := range map[string]any{"store": "cloudinary", "plan": "Free", "objects": 7.0, "requests": 11.0, "transformations": 3.0} {
		if usage.At("usage", path) != want {
			t.Errorf("usage: %s", usage.Text)
		}
	}
	if usage.At("usage", "credits", "limit") != 25.0 || usage.At("usage", "storage", "used") != 1024.0 || usage.At("usage", "bandwidth", "used") != 2048.0 {
		t.Errorf("usage: %s", usage.Text)
	}
	if health := f.Get(t, "/health", ""); health.At("services", "cloudinary", "status") != "healthy" || health.At("services", "cloudinary", "response", "rate_limit_allowed") != 500.0 {
		t.Errorf("health: %s", health.Text)
	}
	for _, each := range []string{id, filmID} {
		if info := f.Get(t, "/api/uploads/"+each+"/info", f.user); info.Status != http.StatusOK || info.At("info", "publicId") != each {
			t.Errorf("info: %d %s", info.Status, info.Text)
		}
		if deleted := f.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/api/uploads/" + each, Token: f.user}); deleted.Status != http.StatusOK {
			t.Errorf("delete: %d %s", deleted.Status, deleted.Text)
		}
	}
	if left, records := f.left(t); left != 0 || records != 0 || cloud.Assets() != 0 {
		t.Errorf("%d files, %d records and %d assets are left", left, records, cloud.Assets())
	}
}

// TestCloudinaryAway: whatever it suffers from, uploads are refused with 503
// and the time to wait, then at once and without a request; all else works,
// /health says so, and it is over by itself.
func TestCloudinaryAway(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]mediatest.Mood{
		"failing": mediatest.Failing, "limited": mediatest.Limited, "cutting": mediatest.Cutting, "mute": mediatest.Mute,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := mediatest.NewCloud(t)
			cloud.Be(mood)
			away(t, cloud.URL, cloud.Requests, func() { cloud.Be(mediatest.Well) })
		})
	}
	t.Run("refusing", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		_ = listener.Close() // now nobody listens there
		away(t, "http://"+address, func() int { return 0 }, func() {
			again, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			mediatest.NewCloudAt(t, again)
		})
	})
}

// soon is far more than a refusal takes, for busy machines, and far less than
// the four minutes that an upload may take.
const soon = 10 * time.Second

func away(t *testing.T, address string, requests func() int, mend func()) {
	t.Helper()
	var store media.Store
	f := startWith(t, func(string) media.Store { store = account(t, address); return store })
	upload := func() apitest.Reply {
		t.Helper()
		began := time.Now()
		reply := f.upload(t, "images", f.user, part{"images", "a.png", mediatest.PNG(4, 4)})
		if took := time.Since(began); took > soon {
			t.Errorf("the reply took %s", took)
		}
		return reply
	}
	for tries := 0; store.Ready() == nil && tries < 5; tries++ {
		if reply := upload(); reply.Status != http.StatusServiceUnavailable || reply.Header.Get("Retry-After") == "" {
			t.Fatalf("%d %v %s", reply.Status, reply.Header, reply.Text)
		}
	}
	seen := requests()
	open := upload()
	if wait := open.Header.Get("Retry-After"); open.Status != http.StatusServiceUnavailable || wait != "4" || requests() != seen {
		t.Errorf("open: %d, Retry-After %q, %d requests more", open.Status, wait, requests()-seen)
	}
	if health := f.Get(t, "/health", ""); health.Status != http.StatusOK || health.At("services", "cloudinary", "status") != "error" {
		t.Errorf("health: %d %s", health.Status, health.Text)
	}
	if list := f.Get(t, "/api/system/jobs", f.admin); list.Status != http.StatusOK {
		t.Errorf("something else: %d %s", list.Status, list.Text)
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
	mend()
	edgetest.Until(t, "uploads are taken again", func() bool { return upload().Status == http.StatusOK })
	edgetest.Until(t, "health says so", func() bool {
		return f.Get(t, "/health", "").At("services", "cloudinary", "status") == "healthy"
	})
}
