package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// tries is how often the database is asked before a batch is given up.
	tries = 4
	// settleTimeout bounds the record of what was done, which does not end
	// with the caller's context: an effect that was made must be known.
	settleTimeout = 30 * time.Second
)

// Report counts what became of the keys of one batch.
type Report struct {
	Done      int // effects that this call made
	Failed    int // effects that this call could not make
	Freed     int // effects that were not made, and may be tried again
	Skipped   int // were made before
	Hopeless  int // had failed before
	Uncertain int // were claimed before and never settled: perhaps made
}

// Add adds another report to r.
func (r *Report) Add(other Report) {
	r.Done += other.Done
	r.Failed += other.Failed
	r.Freed += other.Freed
	r.Skipped += other.Skipped
	r.Hopeless += other.Hopeless
	r.Uncertain += other.Uncertain
}

// Effect makes the effects of the keys at some places of Claim.Keys, and
// returns one settlement for each of them, in order. (Its keys are filled in
// by Do.) An error means that none was made: all are given back.
type Effect func(ctx context.Context, places []int) ([]Settlement, error)

// Do claims keys, makes the effects of those that are free, and settles them.
// An error means that the batch did not end in good order; what was made
// before is either settled or uncertain, never forgotten. states returns how
// each key stood before, in the order of the keys.
func Do(ctx context.Context, l Ledger, claim Claim, effect Effect) (report Report, states []State, err error) {
	if len(claim.Keys) == 0 {
		return Report{}, nil, nil
	}
	states, err = retry(ctx, func() ([]State, error) { return l.Claim(ctx, claim) })
	if err != nil {
		return Report{}, nil, fmt.Errorf("claim %d keys: %w", len(claim.Keys), err)
	}
	var mine []int
	for i, state := range states {
		switch state {
		case Mine:
			mine = append(mine, i)
		case Done:
			report.Skipped++
		case Failed:
			report.Hopeless++
		default:
			report.Uncertain++
		}
	}
	if len(mine) == 0 {
		return report, states, nil
	}
	made, effectErr := effect(ctx, mine)
	if effectErr == nil && len(made) != len(mine) {
		effectErr = fmt.Errorf("the effect tells of %d keys and was given %d", len(made), len(mine))
	}
	if effectErr != nil {
		made = make([]Settlement, len(mine))
		for i := range made {
			made[i].State = Free
		}
	}
	for i, place := range mine {
		made[i].Key = claim.Keys[place]
		report.count(made[i].State)
	}
	if err := settle(ctx, l, claim.Holder, made); err != nil {
		return report, states, fmt.Errorf("settle %d keys: %w", len(made), err)
	}
	return report, states, effectErr
}

func (r *Report) count(state State) {
	switch state {
	case Done:
		r.Done++
	case Failed:
		r.Failed++
	default:
		r.Freed++
	}
}

func settle(ctx context.Context, l Ledger, holder string, made []Settlement) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	_, err := retry(ctx, func() (struct{}, error) { return struct{}{}, l.Settle(ctx, holder, made) })
	return err
}

// retry asks again when the database has a bad moment.
func retry[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 100*time.Millisecond, 2*time.Second
	return backoff.Retry(ctx, ask, backoff.WithMaxTries(tries), backoff.WithBackOff(pauses))
}
