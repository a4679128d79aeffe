package notify

import (
	"context"
	"time"

	"github.com/etrainer/backend/pkg/runner"
)

// Round is one run of a job over all whom it may tell, a page at a time. It
// stops between pages when the run has to, and what was told stays told: the
// next run goes on.
type Round struct {
	Holder            string // see Holder
	Message           Message
	Keep              time.Duration // how long the ledger remembers the keys
	Attempt, Attempts int
	Now               func() time.Time
	// Next returns the recipients of the next page, who may be none; more
	// false = there is no such page.
	Next func(ctx context.Context) (recipients []Recipient, more bool, err error)
	// Told is called behind each page.
	Told func(ctx context.Context)
}

// TellAll tells every page and adds to the tally what became of it. When most
// messages of a page cannot be sent now it ends early, unless this is the last
// attempt: the next one goes on.
func (n *Notifier) TellAll(ctx context.Context, round Round, tally *Tally) error {
	for {
		if err := runner.Heartbeat(ctx); err != nil {
			return err
		}
		recipients, more, err := round.Next(ctx)
		if err != nil || !more {
			return err
		}
		told, err := n.Tell(ctx, Batch{
			Holder: round.Holder, Message: round.Message, Recipients: recipients, At: round.Now(), Keep: round.Keep,
		})
		tally.Add(told)
		if err != nil {
			return err
		}
		round.Told(ctx)
		if ctx.Err() != nil { // which is why messages were not sent
			return context.Cause(ctx)
		}
		if err := told.Later(round.Attempt, round.Attempts); err != nil && told.Down() {
			return err
		}
	}
}
