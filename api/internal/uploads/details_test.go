package uploads_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/uploads"
	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediamongo"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// TestEveryFormat: each is taken, recorded, and delivered as what it is.
func TestEveryFormat(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := start(t, func(o *apitest.Options) { o.Now = func() time.Time { return now } })
	routes := map[media.Kind][2]string{
		media.Image: {"images", "images"}, media.Audio: {"audio", "audio"}, media.Video: {"videos", "video"}, media.Document: {"documents", "documents"},
	}
	owner, _ := f.Login(t, "user@example.com").At("user", "_id").(string)
	for _, kind := range media.Kinds() {
		for _, format := range kind.Formats() {
			content := mediatest.Sample(format)
			file := f.one(t, routes[kind][0], part{routes[kind][1], "a." + string(format), content})
			id, _ := file["publicId"].(string)
			record, err := mediamongo.New(f.db).Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			want := media.Record{
				Ref: media.Ref{PublicID: id, ResourceType: kind.ResourceType()}, Kind: kind, Owner: owner, Store: media.StoreLocal,
				Format: string(format), Bytes: int64(len(content)), OriginalName: "a." + string(format), CreatedAt: now,
				Width: record.Width, Height: record.Height, Duration: record.Duration,
			}
			if diff := cmp.Diff(want, record); diff != "" {
				t.Errorf("%s: the record (-want +got):\n%s", format, diff)
			}
			info := f.Get(t, "/api/uploads/"+id+"/info", f.admin)
			for name, value := range map[string]int{"width": record.Width, "height": record.Height} {
				told, _ := file[name].(float64)
				again, _ := info.At("info", name).(float64)
				if told != float64(value) || again != float64(value) || (kind == media.Image) && value == 0 {
					t.Errorf("%s: %s is %v, then %v, and %d in the record", format, name, file[name], again, value)
				}
			}
			if opened := f.Get(t, f.path(t, file["url"]), ""); opened.Header.Get("Content-Type") != format.ContentType() || opened.Text != string(content) {
				t.Errorf("%s: %d bytes of %q", format, len(opened.Text), opened.Header.Get("Content-Type"))
			}
			if deleted := f.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/api/uploads/" + url.PathEscape(id), Token: f.user}); deleted.Status != http.StatusOK {
				t.Errorf("%s: delete: %d %s", format, deleted.Status, deleted.Text)
			}
		}
	}
}

// TestQuality: less of it makes a smaller file.
func TestQuality(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := f.one(t, "images", part{"images", "a.jpg", mediatest.JPEG(400, 300)})["publicId"]
	size := func(quality any) int {
		reply := f.Post(t, "/api/uploads/optimize-url", f.user, map[string]any{"publicId": id, "width": 200, "quality": quality})
		return len(f.Get(t, f.path(t, reply.At("optimizedUrl")), "").Text)
	}
	if low, high := size(10), size("90"); low >= high {
		t.Errorf("quality 10 has %d bytes, 90 has %d", low, high)
	}
}

// TestOddSizes: the field that is wrong is named, and not the one beside it.
func TestOddSizes(t *testing.T) {
	t.Parallel()
	f := start(t)
	for field, value := range map[string]any{"width": "wide", "height": 0} {
		body := map[string]any{"publicId": "x", "width": 10, "height": "10"}
		body[field] = value
		reply := f.Post(t, "/api/uploads/optimize-url", f.user, body)
		if reply.Status != http.StatusBadRequest || !strings.Contains(reply.Text, `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", field, reply.Status, reply.Text)
		}
	}
}

// TestDeclaredType: what a part says of itself does not count.
func TestDeclaredType(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, content := range map[string]string{"SVG": `<svg xmlns="http://www.w3.org/2000/svg"/>`, "script": "#!/bin/sh\nrm -rf /\n"} {
		body := "--b\r\nContent-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n" + content + "\r\n--b--\r\n"
		reply := f.Do(t, apitest.Request{
			Method: http.MethodPost, Path: "/api/uploads/images", Token: f.user, Body: body, Header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"},
		})
		if reply.Status != http.StatusBadRequest || reply.At("message") != "Only image files are allowed" {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
}

// failing is a store whose second Put fails.
type failing struct {
	media.Store
	puts *atomic.Int32
}

func (s failing) Put(ctx context.Context, upload media.Upload) (media.Asset, error) {
	if s.puts.Add(1) == 2 {
		return media.Asset{}, errors.New("the disk is full")
	}
	return s.Store.Put(ctx, upload)
}

// TestSecondFails: the first of two is taken back.
func TestSecondFails(t *testing.T) {
	t.Parallel()
	f := startWith(t, func(dir string) media.Store {
		disk, err := localdisk.Open(dir, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return failing{disk, &atomic.Int32{}}
	})
	picture := part{"images", "a.png", mediatest.Sample(mediafile.PNG)}
	if reply := f.upload(t, "images", f.user, picture, picture); reply.Status != http.StatusInternalServerError {
		t.Errorf("%d %s", reply.Status, reply.Text)
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// endless is a body that does not end, and looks at the disk while it is sent.
type endless struct {
	begin    io.Reader
	dir      string
	greatest *atomic.Int64 // file seen
}

func (e endless) Read(b []byte) (int, error) {
	if n, err := e.begin.Read(b); err == nil {
		return n, nil
	}
	entries, _ := os.ReadDir(e.dir) // none = nothing seen
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Size() > e.greatest.Load() {
			e.greatest.Store(info.Size())
		}
	}
	clear(b)
	return len(b), nil
}

// TestEndlessBody: no more than the limit ever comes to the disk, however much
// is sent in chunks.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	f := start(t, func(o *apitest.Options) {
		o.Uploads = func(u *uploads.Options) { u.Limits = map[media.Kind]int64{media.Image: limit} }
	})
	body := endless{
		strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\n\r\n" + string(mediatest.PNG(4, 4))),
		filepath.Join(f.dir, "incoming"), &atomic.Int64{},
	}
	select {
	case <-f.begin(t.Context(), t, "images", "multipart/form-data; boundary=b", body):
	case <-time.After(edgetest.Patience):
		t.Error("it is still being received")
	}
	if seen := body.greatest.Load(); seen == 0 || seen > limit+1 {
		t.Errorf("the disk had %d bytes, the limit is %d", seen, limit)
	}
	edgetest.Until(t, "nothing is left", func() bool {
		files, records := f.left(t)
		return files == 0 && records == 0
	})
}
