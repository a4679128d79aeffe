package cloudinary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// errMute means that Cloudinary takes connections and answers nobody.
var errMute = errors.New("no answer at all from Cloudinary")

// In units of the stall time. With the default of 0.1 s an upload that meets a
// mute Cloudinary is refused within a second, and a distant one has the time for
// a new connection with TLS: three times there and back.
const (
	answerWithin = 8  // Cloudinary has this long to show that it is there
	againAfter   = 20 // then the upload is left alone for this long
)

// probes is how many questions are asked at once: one lost packet is no outage.
const probes = 2

type movedKey struct{}

// watch gives up on an upload that stands still when Cloudinary does not
// answer a simple question either. That an upload stands still is no proof: a
// long film is worked on for many seconds after it was sent. end must be
// called. sent becomes true when something of the upload has left.
func (s *Store) watch(ctx context.Context, sent *atomic.Bool) (watched context.Context, end func()) {
	started := time.Now()
	moved := &atomic.Int64{} // how long after that the body was read last
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, movedKey{}, func() {
		sent.Store(true)
		moved.Store(int64(time.Since(started)))
	}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		look := time.NewTimer(s.stallAfter)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			if still := time.Since(started) - time.Duration(moved.Load()); still < s.stallAfter {
				look.Reset(s.stallAfter - still)
				continue
			}
			if err := s.probe(ctx); err != nil {
				cancel(fmt.Errorf("%w: %w", errMute, err))
				return
			}
			look.Reset(againAfter * s.stallAfter)
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

// probe returns nil when there is any answer. Each question has a connection of
// its own.
func (s *Store) probe(ctx context.Context) error {
	ctx, answered := context.WithTimeout(ctx, answerWithin*s.stallAfter)
	defer answered()
	var failures [probes]error
	var all sync.WaitGroup
	for i := range failures {
		all.Go(func() {
			if failures[i] = s.ask(ctx); failures[i] == nil {
				answered() // nobody waits for the others
			}
		})
	}
	all.Wait()
	if slices.Contains(failures[:], nil) {
		return nil
	}
	return errors.Join(failures[:]...)
}

// ask sends a question without credentials: it counts for no limit of the
// account.
func (s *Store) ask(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address, nil)
	if err != nil {
		return err
	}
	response, err := s.probes.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// moving tells the watch of an upload that its body is being read.
type moving struct {
	io.ReadCloser
	moved func()
}

func (m moving) Read(b []byte) (int, error) {
	m.moved()
	return m.ReadCloser.Read(b)
}
