package uploads_test

import (
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// breakFor is how long the breaker of a test stays open.
const breakFor = 4 * time.Second

// account is a store in a stand-in at an address.
func account(t *testing.T, address string) media.Store {
	t.Helper()
	return open(t, cloudinary.Options{Address: address, StallAfter: 200 * time.Millisecond, BreakFor: breakFor})
}

func open(t *testing.T, o cloudinary.Options) media.Store {
	t.Helper()
	o.CloudName, o.APIKey, o.APISecret = mediatest.CloudName, mediatest.APIKey, mediatest.APISecret
	store, err := cloudinary.New(o)
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
	for name, test := range map[string]struct {
		mood mediatest.Mood
		wait string // Retry-After
	}{
		"failing": {mediatest.Failing, "4"}, "limited": {mediatest.Limited, "7"}, "cutting": {mediatest.Cutting, "4"}, "mute": {mediatest.Mute, "4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := mediatest.NewCloud(t)
			cloud.Be(test.mood)
			away(t, cloud.URL, test.wait, cloud.Requests, func() { cloud.Be(mediatest.Well) })
		})
	}
	t.Run("refusing", func(t *testing.T) {
		t.Parallel()
		address := nobody(t)
		away(t, "http://"+address, "4", func() int { return 0 }, func() {
			again, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			mediatest.NewCloudAt(t, again)
		})
	})
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // nothing was sent
	return listener.Addr().String()
}

// soon is far more than a refusal takes, for busy machines, and far less than
// the four minutes that an upload may take.
const soon = 10 * time.Second

func away(t *testing.T, address, wait string, requests func() int, mend func()) {
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
		if reply := upload(); reply.Status != http.StatusServiceUnavailable || reply.Header.Get("Retry-After") != wait {
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

// TestCloudinaryAwayWithinASecond: with the bounds of production an upload is
// refused within a second, on a machine that has the time: the best of some
// tries, each on an api that knows of nothing.
func TestCloudinaryAwayWithinASecond(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	for name, mood := range map[string]mediatest.Mood{
		"failing": mediatest.Failing, "limited": mediatest.Limited, "cutting": mediatest.Cutting, "mute": mediatest.Mute, "refusing": mediatest.Well,
	} {
		cloud := mediatest.NewCloud(t)
		cloud.Be(mood)
		address := cloud.URL
		if name == "refusing" {
			address = "http://" + nobody(t)
		}
		best := time.Hour
		for tries := 0; best > time.Second && tries < 8; tries++ {
			f := &fixture{API: apitest.Start(t, db, apitest.Options{Media: open(t, cloudinary.Options{Address: address})}), db: db}
			token := f.Token(t, "user@example.com")
			began := time.Now()
			reply := f.upload(t, "images", token, part{"images", "a.png", mediatest.PNG(4, 4)})
			best = min(best, time.Since(began))
			if reply.Status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
			}
		}
		if best > time.Second {
			t.Errorf("%s: the fastest refusal took %s", name, best)
		}
	}
}

// TestCloudinarySlow: Cloudinary may work on a file for longer than a client
// may pause.
func TestCloudinarySlow(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	cloud.Be(mediatest.Slow)
	f := start(t, bounds(mediatest.SlowFor/6, time.Minute), func(o *apitest.Options) { o.Media = account(t, cloud.URL) })
	if reply := f.upload(t, "images", f.user, part{"images", "a.png", mediatest.PNG(4, 4)}); reply.Status != http.StatusOK {
		t.Errorf("%d %s", reply.Status, reply.Text)
	}
}

// TestCloudinaryRefuses: users learn what Cloudinary has against their file.
func TestCloudinaryRefuses(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	cloud.Be(mediatest.Refusing)
	f := startWith(t, func(string) media.Store { return account(t, cloud.URL) })
	reply := f.upload(t, "images", f.user, part{"images", "a.png", mediatest.PNG(4, 4)})
	if reply.Status != http.StatusBadRequest || reply.At("error") != "Image upload failed" || reply.At("message") != mediatest.Refusal {
		t.Errorf("%d %s", reply.Status, reply.Text)
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// TestLogOfAnOutage: nothing is said of files that were never sent, and of
// others that the next check will find them.
func TestLogOfAnOutage(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]bool{"refusing": false, "failing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := mediatest.NewCloud(t)
			cloud.Be(mediatest.Failing)
			address := cloud.URL
			if !sent {
				address = "http://" + nobody(t)
			}
			var log logtest
			f := start(t, func(o *apitest.Options) {
				o.Media, o.Log = account(t, address), slog.New(slog.NewTextHandler(&log, nil))
			})
			f.upload(t, "images", f.user, part{"images", "a.png", mediatest.PNG(4, 4)})
			told := log.lines("not removed")
			if sent != (len(told) == 1) || sent && !strings.Contains(told[0], "level=INFO") || sent && !strings.Contains(told[0], "check orphaned media") {
				t.Errorf("the log says %q", told)
			}
		})
	}
}

// logtest keeps what is logged.
type logtest struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logtest) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// lines are those that contain something.
func (l *logtest) lines(something string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(strings.Split(l.text.String(), "\n"), func(line string) bool { return !strings.Contains(line, something) })
}

// TestStoreThatIsNotConfigured: a file of Cloudinary outlives its settings.
func TestStoreThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	f := startWith(t, func(string) media.Store { return account(t, cloud.URL) })
	id := f.one(t, "images", part{"images", "a.png", mediatest.PNG(4, 4)})["publicId"].(string) //nolint:forcetypeassert // the reply is held against the document
	f.API = apitest.Start(t, f.db, apitest.Options{})
	for _, r := range []apitest.Request{
		{Path: "/api/uploads/" + id + "/info"},
		{Method: http.MethodDelete, Path: "/api/uploads/" + id},
		{Method: http.MethodPost, Path: "/api/uploads/optimize-url", Body: map[string]any{"publicId": id}},
	} {
		r.Token = f.user
		reply := f.Do(t, r)
		if text, _ := reply.At("message").(string); reply.Status != http.StatusServiceUnavailable || !strings.Contains(text, "not connected") {
			t.Errorf("%s %s: %d %s", r.Method, r.Path, reply.Status, reply.Text)
		}
	}
	if cloud.Assets() != 1 {
		t.Error("the file is gone")
	}
}
