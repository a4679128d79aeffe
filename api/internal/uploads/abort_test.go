package uploads_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediatest"
)

// TestClientGoesAway: half of a file has come when the connection ends.
// Neither that half nor the whole file that came before it is kept.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	f := start(t)
	body, contentType := form(
		part{"images", "whole.png", mediatest.PNG(4, 4)},
		part{"images", "half.png", append(mediatest.PNG(4, 4), bytes.Repeat([]byte{0}, 1<<20)...)},
	)
	sent, sender := io.Pipe()
	leave := func() { _ = sender.CloseWithError(io.ErrUnexpectedEOF) } // the client then cuts the connection
	defer leave()
	ended := f.begin(t.Context(), t, "images", contentType, sent)
	if _, err := io.Copy(sender, strings.NewReader(body[:len(body)/2])); err != nil {
		t.Fatal(err)
	}
	edgetest.Until(t, "both files are on the disk", func() bool {
		files, _ := f.left(t)
		return files == 2
	})
	leave()
	if err := <-ended; err == nil {
		t.Error("a request with half a body was answered")
	}
	edgetest.Until(t, "nothing is on the disk", func() bool {
		files, _ := f.left(t)
		return files == 0
	})
	if _, records := f.left(t); records != 0 {
		t.Errorf("%d records are left", records)
	}
}

// begin sends an upload; what it returns tells why there was no answer, or nil.
func (f *fixture) begin(ctx context.Context, t *testing.T, route, contentType string, body io.Reader) <-chan error {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL+"/api/uploads/"+route, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+f.user)
	ended := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = answer.Body.Close() // the test fails
		}
		ended <- err
	}()
	return ended
}

// leave sends an upload and goes away when something is so.
func (f *fixture) leave(t *testing.T, route string, p part, when func() bool) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	body, contentType := form(p)
	ended := f.begin(ctx, t, route, contentType, strings.NewReader(body))
	edgetest.Until(t, "the file is being stored", when)
	leave()
	if err := <-ended; err == nil {
		t.Error("the client was answered")
	}
}

// TestClientGoesAwayWhileStoring: the file is with Cloudinary, in whole or in
// its first piece, when the client leaves.
func TestClientGoesAwayWhileStoring(t *testing.T) {
	t.Parallel()
	film := bytes.Join([][]byte{mediatest.FileType(), mediatest.Filling(25<<20, 25<<20+8), mediatest.Moov("vide")}, nil)
	for name, test := range map[string]struct {
		route string
		part  part
	}{
		"whole":  {"images", part{"images", "a.png", mediatest.PNG(4, 4)}},
		"pieces": {"videos", part{"video", "a.mp4", film}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := mediatest.NewCloud(t)
			cloud.Be(mediatest.Late)
			f := startWith(t, func(string) media.Store { return account(t, cloud.URL) })
			f.leave(t, test.route, test.part, func() bool { return cloud.Held() == 1 })
			edgetest.Until(t, "nothing is left", func() bool {
				files, records := f.left(t)
				return files == 0 && records == 0 && cloud.Assets() == 0
			})
		})
	}
}

// pausing is a store that stores when the client has left.
type pausing struct {
	media.Store
	paused chan struct{}
}

func (p pausing) Put(ctx context.Context, upload media.Upload) (media.Asset, error) {
	close(p.paused)
	<-ctx.Done()
	return p.Store.Put(ctx, upload)
}

// TestClientGoesAwayBeforeTheRecord: the file reaches its place on the disk
// after the client has left.
func TestClientGoesAwayBeforeTheRecord(t *testing.T) {
	t.Parallel()
	store := pausing{paused: make(chan struct{})}
	f := startWith(t, func(dir string) media.Store {
		disk, err := localdisk.Open(dir, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		store.Store = disk
		return store
	})
	f.leave(t, "images", part{"images", "a.png", mediatest.PNG(400, 300)}, func() bool {
		select {
		case <-store.paused:
			return true
		default:
			return false
		}
	})
	edgetest.Until(t, "nothing is left", func() bool {
		files, records := f.left(t)
		return files == 0 && records == 0
	})
}
