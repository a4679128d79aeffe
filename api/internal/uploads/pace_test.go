package uploads_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/uploads"
	"github.com/etrainer/backend/pkg/media/mediatest"
)

// bounds sets those of transfers.
func bounds(pause, longest time.Duration) func(*apitest.Options) {
	return func(o *apitest.Options) {
		o.Uploads = func(u *uploads.Options) { u.Pause, u.Longest = pause, longest }
	}
}

// great is a sound of 16 MB, far more than the buffers of a connection hold.
func (f *fixture) great(t *testing.T) (path string, size int) {
	t.Helper()
	content := mediatest.WAV(2000)
	reply := f.upload(t, "audio", f.user, part{"audio", "a.wav", content})
	if reply.Status != http.StatusOK {
		t.Fatalf("%d %s", reply.Status, reply.Text)
	}
	return f.path(t, reply.At("file", "url")), len(content)
}

// TestDeliveryWithAnotherClock: times of connections are those of this machine,
// whatever the database says.
func TestDeliveryWithAnotherClock(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *apitest.Options) { o.Now = func() time.Time { return time.Now().Add(-time.Hour) } })
	path, size := f.great(t)
	if reply := f.Get(t, path, ""); reply.Status != http.StatusOK || len(reply.Text) != size {
		t.Errorf("%d, %d bytes of %d", reply.Status, len(reply.Text), size)
	}
}

// TestSlowDelivery: whoever takes a great file slowly gets it whole, though it
// takes longer than a transfer may that does not move; whoever takes nothing
// is given up.
func TestSlowDelivery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pause, longest time.Duration
		whole          bool
	}{
		"slow":  {time.Minute, 300 * time.Millisecond, true},
		"still": {300 * time.Millisecond, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, bounds(test.pause, test.longest))
			path, size := f.great(t)
			ended := make(chan struct{})
			listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				f.Handler.ServeHTTP(w, r)
			}))
			defer listener.Close()
			began := time.Now()
			reply, err := listener.Client().Get(listener.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reply.Body.Close() }()
			if test.whole {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for time.Since(began) < 3*test.longest {
					<-tick.C
				}
			} else {
				<-ended
			}
			got, err := io.Copy(io.Discard, reply.Body)
			if whole := err == nil && got == int64(size); whole != test.whole {
				t.Errorf("%d bytes of %d, %v", got, size, err)
			}
		})
	}
}

// TestSlowUpload: a great file over a slow line may take longer than the
// longest time of those that are slower still.
func TestSlowUpload(t *testing.T) {
	t.Parallel()
	const longest = 300 * time.Millisecond
	f := start(t, bounds(time.Minute, longest))
	body, contentType := form(part{"audio", "a.wav", mediatest.WAV(200)}) // 1.6 MB: 48 s more
	received, sender := io.Pipe()
	go func() {
		began := time.Now()
		_, err := io.Copy(sender, strings.NewReader(body[:len(body)/2]))
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for time.Since(began) < 3*longest {
			<-tick.C
		}
		if err == nil {
			_, err = io.Copy(sender, strings.NewReader(body[len(body)/2:]))
		}
		_ = sender.CloseWithError(err) // nil = the end
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/api/uploads/audio", received)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+f.user)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	if text, err := io.ReadAll(reply.Body); reply.StatusCode != http.StatusOK || err != nil {
		t.Errorf("%d %s %v", reply.StatusCode, text, err)
	}
}

// panicking is a body that breaks the program.
type panicking struct{ io.Reader }

func (p panicking) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err == io.EOF {
		panic("a defect")
	}
	return n, err
}

// TestPanicWhileReceiving: a defect leaves no file.
func TestPanicWhileReceiving(t *testing.T) {
	t.Parallel()
	f := start(t)
	body, contentType := form(part{"audio", "a.wav", mediatest.WAV(200)})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/uploads/audio", panicking{strings.NewReader(body[:len(body)-1000])})
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+f.user)
	reply := httptest.NewRecorder()
	f.Handler.ServeHTTP(reply, request)
	if files, records := f.left(t); reply.Code != http.StatusInternalServerError || files != 0 || records != 0 {
		t.Errorf("%d %s, %d files and %d records are left", reply.Code, reply.Body, files, records)
	}
}
