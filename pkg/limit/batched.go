package limit

import (
	"context"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

const (
	// hold is how long what was taken ahead may lie unused, and how long a
	// refusal answers for the shared store.
	hold = time.Second
	// share is the part of what remains that may be taken ahead: when little
	// remains nothing is, so that the last ones can be had from any process.
	share = 64
	// maxAhead bounds what is taken ahead, and so what is lost with a process
	// that is killed.
	maxAhead = 128
)

// Batched is a Store that takes ahead from Shared for keys that are asked for
// again and again, so that a fast client does not cost a call of the shared
// store for each request. It never allows more than the rule. What it takes
// ahead is at most a sixty-fourth of what remains, doubles from nothing while a
// key stays busy, and is given back when it was not used for a second. A
// refusal is remembered as long. It is safe for concurrent use.
type Batched struct {
	shared Store
	clock  clockwork.Clock

	mu    sync.Mutex
	hands map[handKey]*hand
}

var _ Store = (*Batched)(nil)

type handKey struct {
	rule Rule
	key  string
}

// hand is what one key has here. It is guarded by Batched.mu.
type hand struct {
	left   int       // taken and not used
	ahead  int       // taken beside what was asked for, the last time
	last   Result    // of the shared store
	taken  time.Time // when it gave that
	failed int       // the units it refused; 0 = it allowed

	asking *asking // nil = nobody asks the shared store
}

// asking is one call of the shared store, and what those who wait for it get.
type asking struct {
	done chan struct{}
	err  error
}

// NewBatched returns a Batched. Somebody must call Run.
func NewBatched(shared Store, clock clockwork.Clock) *Batched {
	return &Batched{shared: shared, clock: clock, hands: map[handKey]*hand{}}
}

// Run gives back what is not used, until the context ends, and then all of it.
// What cannot be given back is free again with its window.
func (b *Batched) Run(ctx context.Context) error {
	ticker := b.clock.NewTicker(hold)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.Chan():
			b.giveBack(ctx, b.clock.Now().Add(-hold))
		case <-ctx.Done():
			b.giveBack(context.WithoutCancel(ctx), b.clock.Now())
			return nil
		}
	}
}

// giveBack empties and forgets the hands that took nothing since.
func (b *Batched) giveBack(ctx context.Context, since time.Time) {
	for key, n := range b.forget(since) {
		if err := b.shared.Refund(ctx, key.rule, key.key, n); err != nil {
			return // the others would wait for the same; who takes next says what is wrong
		}
	}
}

// forget removes the hands that took nothing since, and returns what they had.
func (b *Batched) forget(since time.Time) map[handKey]int {
	unused := map[handKey]int{}
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, h := range b.hands {
		if h.asking != nil || h.taken.After(since) {
			continue
		}
		if h.left > 0 {
			unused[key] = h.left
		}
		delete(b.hands, key)
	}
	return unused
}

// Take implements Store.
func (b *Batched) Take(ctx context.Context, rule Rule, key string, n int) (Result, error) {
	for {
		result, known, running, h := b.have(handKey{rule, key}, n)
		switch {
		case known:
			return result, nil
		case running == nil:
			return b.ask(ctx, handKey{rule, key}, n, h)
		}
		select {
		case <-running.done:
			if running.err != nil {
				return Result{}, running.err
			}
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		}
	}
}

// have answers from the hand if it can. Else it returns the call of the shared
// store that is to be waited for; nil = the caller makes it.
func (b *Batched) have(key handKey, n int) (result Result, known bool, running *asking, h *hand) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h = b.hands[key]
	if h == nil {
		h = &hand{}
		b.hands[key] = h
	}
	if result, known = h.answer(n, b.clock.Now()); known || h.asking != nil {
		return result, known, h.asking, h
	}
	h.asking = &asking{done: make(chan struct{})}
	return Result{}, false, nil, h
}

// answer is what the hand knows about n at a time.
func (h *hand) answer(n int, now time.Time) (Result, bool) {
	age := now.Sub(h.taken)
	result := Result{Reset: max(h.last.Reset-age, 0)}
	switch {
	case h.left >= n:
		h.left -= n
		result.Allowed, result.Remaining = true, h.last.Remaining+h.left
		return result, true
	case h.failed > 0 && n == h.failed && age < hold && h.last.RetryAfter > hold:
		result.Remaining, result.RetryAfter = h.last.Remaining+h.left, h.last.RetryAfter-age
		return result, true
	default:
		return Result{}, false
	}
}

// ask takes n from the shared store, and more if the key is busy. The caller
// may go away meanwhile: what was taken is kept for those who wait.
func (b *Batched) ask(ctx context.Context, key handKey, n int, h *hand) (Result, error) {
	ctx = context.WithoutCancel(ctx)
	had, ahead := b.plan(h)
	want := n - had
	result, err := b.shared.Take(ctx, key.rule, key.key, want+ahead)
	if err == nil && !result.Allowed && ahead > 0 {
		ahead = 0
		result, err = b.shared.Take(ctx, key.rule, key.key, want)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	h.asking.err = err
	close(h.asking.done)
	h.asking = nil
	if err != nil {
		h.left = had
		return Result{}, err
	}
	h.last, h.taken, h.ahead = result, b.clock.Now(), ahead
	if result.Allowed {
		h.left, h.failed = ahead, 0
	} else {
		h.left, h.failed = had, n
	}
	result.Remaining += h.left
	return result, nil
}

// plan empties the hand, whose units are used first, and says how many to take
// beside what is asked for.
func (b *Batched) plan(h *hand) (had, ahead int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	had, h.left = h.left, 0
	if h.last.Allowed { // and not long ago: Run would have forgotten it
		ahead = min(2*h.ahead+1, h.last.Remaining/share, maxAhead)
	}
	return had, ahead
}

// Refund implements Store.
func (b *Batched) Refund(ctx context.Context, rule Rule, key string, n int) error {
	b.mu.Lock()
	if h := b.hands[handKey{rule, key}]; h != nil {
		h.failed = 0
	}
	b.mu.Unlock()
	return b.shared.Refund(ctx, rule, key, n)
}
