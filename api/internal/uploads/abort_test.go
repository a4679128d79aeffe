package uploads_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/edgetest"
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
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/api/uploads/images", sent)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+f.user)
	ended := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = answer.Body.Close() // the test fails below
		}
		ended <- err
	}()
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
