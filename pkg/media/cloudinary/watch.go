package cloudinary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errMute means that Cloudinary takes connections and answers nobody.
var errMute = errors.New("no answer at all from Cloudinary")

// againAfter is how many times the stall time an upload is left alone after
// Cloudinary has shown that it is there.
const againAfter = 5

type movedKey struct{}

// watch gives up on an upload that stands still when Cloudinary does not
// answer a simple question either. That an upload stands still is no proof: a
// long film is worked on for many seconds after it was sent. end must be
// called.
func (s *Store) watch(ctx context.Context) (watched context.Context, end func()) {
	moved := &atomic.Bool{}
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, movedKey{}, moved))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(s.stallAfter)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if moved.Swap(false) {
				tick.Reset(s.stallAfter)
				continue
			}
			if err := s.probe(ctx); err != nil {
				cancel(fmt.Errorf("%w: %w", errMute, err))
				return
			}
			tick.Reset(againAfter * s.stallAfter)
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

// probe asks for any answer, without credentials: such a question counts for
// no limit of the account.
func (s *Store) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.stallAfter)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address, nil)
	if err != nil {
		return err
	}
	response, err := s.transport.base.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// moving tells the watch of an upload that its body is being read.
type moving struct {
	io.ReadCloser
	moved *atomic.Bool
}

func (m moving) Read(b []byte) (int, error) {
	m.moved.Store(true)
	return m.ReadCloser.Read(b)
}
