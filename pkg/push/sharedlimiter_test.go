package push_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/push"
)

// Two processes together keep the rate of one.
func TestTheRateIsShared(t *testing.T) {
	t.Parallel()
	store := limit.NewMemory(time.Now)
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				s := &service{limits: push.Limits{Batch: 100, Concurrency: 6}}
				push.NewSender(s, push.SenderOptions{Limiter: push.NewSharedLimiter(store, push.Expo, 600)}).Send(context.Background(), messages(3000))
			})
		}
		both.Wait()
		if took := time.Since(started); took < 8*time.Second || took > 12*time.Second {
			t.Errorf("6,000 messages at 600 a second by two processes took %s; want about 10s", took)
		}
	})
}

// A request may hold more messages than the limit allows at once.
func TestASmallSharedRate(t *testing.T) {
	t.Parallel()
	store := limit.NewMemory(time.Now)
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		if err := push.NewSharedLimiter(store, push.Expo, 10).Wait(t.Context(), 35); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < 2900*time.Millisecond || took > 4*time.Second {
			t.Errorf("35 messages at 10 a second took %s", took)
		}
		slow := push.NewSharedLimiter(store, push.FCM, 0.5)
		started = time.Now()
		for range 3 {
			if err := slow.Wait(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(started); took < 3500*time.Millisecond || took > 5*time.Second {
			t.Errorf("three messages, one every two seconds, took %s", took)
		}
	})
}

func TestTheSharedLimiterStops(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	for _, rate := range []float64{0, 5} {
		if err := push.NewSharedLimiter(limit.NewMemory(time.Now), push.Expo, rate).Wait(ctx, 1); !errors.Is(err, gone) {
			t.Errorf("at a rate of %v: %v", rate, err)
		}
	}
}
