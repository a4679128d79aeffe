package main

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediatest"
)

// stored are the files below a folder of the media directory, with their
// content.
func stored(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sweep is what a later sweep does, and tells what it leaves of what came in.
func sweep(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	if _, err := localdisk.Open(dir, func() time.Time { return time.Now().Add(2 * time.Hour) }); err != nil {
		t.Fatal(err)
	}
	return stored(t, filepath.Join(dir, "incoming"))
}

// TestKilledWhileReceiving: half of a second picture has come when the process
// is killed. Neither it nor the whole one before it is stored.
func TestKilledWhileReceiving(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startBinary(t, "MEDIA_DIR="+dir)
	received, sender := io.Pipe()
	form := multipart.NewWriter(sender)
	go func() {
		for _, content := range [][]byte{mediatest.PNG(400, 300), append(mediatest.PNG(400, 300), make([]byte, 1<<20)...)} {
			file, err := form.CreateFormFile("images", "a.png")
			if err == nil {
				_, err = file.Write(content)
			}
			if err != nil {
				return // the process is dead
			}
		}
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/uploads/images", received)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("Authorization", "Bearer "+p.token)
	ended := make(chan error, 1)
	go func() {
		reply, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = reply.Body.Close() // the test fails
		}
		ended <- err
	}()
	edgetest.Until(t, "half of the second picture is there", func() bool {
		files := stored(t, filepath.Join(dir, "incoming"))
		total := 0
		for _, content := range files {
			total += len(content)
		}
		return len(files) == 2 && total > 1<<19
	})
	p.kill()
	_ = sender.CloseWithError(io.ErrUnexpectedEOF) // nobody reads any more
	if err := <-ended; err == nil {
		t.Error("a dead process answered")
	}
	for _, below := range []string{"files", "variants"} {
		if found := stored(t, filepath.Join(dir, below)); len(found) != 0 {
			t.Errorf("%s has %d files", below, len(found))
		}
	}
	if left := sweep(t, dir); len(left) != 0 {
		t.Errorf("a sweep leaves %d files", len(left))
	}
}

// TestKilledWhileDrawing: the process is killed while it writes a picture in
// another size. All that can be opened is whole.
func TestKilledWhileDrawing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startBinary(t, "MEDIA_DIR="+dir)
	picture := mediatest.FlatJPEG(4096, 2048)
	id := p.uploadPicture(t, picture)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for width := 3000; width > 2985; width-- {
			request, err := http.NewRequest(http.MethodPost, p.url+"/api/uploads/optimize-url", strings.NewReader(fmt.Sprintf(`{"publicId":%q,"width":%d}`, id, width)))
			if err != nil {
				return
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer "+p.token)
			reply, err := http.DefaultClient.Do(request)
			if err != nil {
				return // the process is dead
			}
			_ = reply.Body.Close()
		}
	}()
	for begun := false; !begun; {
		select {
		case <-ended:
			t.Fatal("no size was seen being written")
		default:
			entries, err := os.ReadDir(filepath.Join(dir, "incoming"))
			begun = err != nil || len(entries) > 0
		}
	}
	p.kill()
	<-ended
	files := stored(t, filepath.Join(dir, "files"))
	if got := files[filepath.Join(dir, "files", id+".jpg")]; len(files) != 1 || !bytes.Equal(got, picture) {
		t.Errorf("%d files; the picture has %d bytes of %d", len(files), len(got), len(picture))
	}
	for path, content := range stored(t, filepath.Join(dir, "variants")) {
		if _, err := jpeg.Decode(bytes.NewReader(content)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if left := sweep(t, dir); len(left) != 0 {
		t.Errorf("a sweep leaves %d files", len(left))
	}
}
