package notify

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/ledger"
	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/runner"
)

// Message is what users are told.
type Message struct {
	Title string
	Body  string
	Data  map[string]string // for the app
}

// Recipient is one user to be told.
type Recipient struct {
	Person
	// Key says what the user is told, and when: "daily/2025-08-04/65a7…". A
	// user is told once for each key.
	Key string
	// Day is the start of the local day that the key is about; the id of the
	// notification begins with it.
	Day time.Time
}

// Batch is one page of recipients.
type Batch struct {
	Holder     string // of the ledger's claims; different for every attempt
	Message    Message
	Recipients []Recipient
	At         time.Time     // when they are told
	Keep       time.Duration // how long the ledger remembers the keys
}

// Notification is one in the app.
type Notification struct {
	Key     string
	Day     time.Time
	User    string
	Title   string
	Message string
	At      time.Time
}

// Device is a token of a user.
type Device struct{ User, Provider, Token string }

// Ticket is a message that Expo took, and tells more about later.
type Ticket struct {
	ID     string
	Device Device
	At     time.Time
}

// Store is what telling users reads and writes.
type Store interface {
	// Notify stores notifications for the app and returns how many are new.
	// The id of each follows from its key and day, so that one that is there
	// already is left alone.
	Notify(ctx context.Context, notifications []Notification) (int, error)
	// Forget removes tokens from their users, unless they have others by now,
	// and returns how many.
	Forget(ctx context.Context, devices []Device) (int, error)
	// Keep stores tickets.
	Keep(ctx context.Context, tickets []Ticket) error
}

// Notifier tells users. It is safe for concurrent use.
type Notifier struct {
	ledger  ledger.Ledger
	courier *push.Courier
	store   Store
}

// New returns a Notifier.
func New(l ledger.Ledger, courier *push.Courier, store Store) *Notifier {
	return &Notifier{ledger: l, courier: courier, store: store}
}

// Holder is the ledger's holder for an attempt of a run.
func Holder[P any](j runner.Job[P]) string {
	return fmt.Sprintf("%s/%d/%d", j.ID.Hex(), j.Tick.UnixMilli(), j.Attempt)
}

// Tell tells the recipients of a batch and counts what became of it. An error
// means that the database failed; the batch can be told again.
func (n *Notifier) Tell(ctx context.Context, batch Batch) (Tally, error) {
	tally := NewTally()
	claim := ledger.Claim{Holder: batch.Holder, Policy: ledger.AtMostOnce(), Keep: batch.Keep}
	for _, r := range batch.Recipients {
		claim.Keys = append(claim.Keys, r.Key)
	}
	var outcomes []push.Outcome
	var told []int
	report, states, err := ledger.Do(ctx, n.ledger, claim, func(ctx context.Context, places []int) ([]ledger.Settlement, error) {
		stored, err := n.store.Notify(ctx, batch.notifications(places))
		if err != nil {
			return nil, fmt.Errorf("store notifications: %w", err)
		}
		tally.InAppCount += stored
		told, outcomes = places, n.courier.Deliver(ctx, batch.deliveries(places))
		return settlements(outcomes), nil
	})
	tally.AlreadyDone += report.Skipped + report.Hopeless
	tally.Uncertain += report.Uncertain
	for _, o := range outcomes {
		tally.count(o)
	}
	if err != nil {
		return tally, err
	}
	if err := n.complete(ctx, batch, states, &tally); err != nil {
		return tally, err
	}
	n.tidy(ctx, batch, told, outcomes, &tally)
	return tally, nil
}

// complete stores the notifications of users whose push is uncertain: the run
// that claimed them may have died before it stored any.
func (n *Notifier) complete(ctx context.Context, batch Batch, states []ledger.State, tally *Tally) error {
	var uncertain []int
	for i, state := range states {
		if state == ledger.Claimed {
			uncertain = append(uncertain, i)
		}
	}
	if len(uncertain) == 0 {
		return nil
	}
	runner.Logger(ctx).WarnContext(ctx, "an earlier run died while it told users; they are not pushed again", slog.Int("users", len(uncertain)))
	stored, err := n.store.Notify(ctx, batch.notifications(uncertain))
	if err != nil {
		return fmt.Errorf("store notifications: %w", err)
	}
	tally.InAppCount += stored
	return nil
}

// tidy removes dead tokens and keeps tickets. That it fails is a warning: the
// users are told, and a dead token is found again the next time.
func (n *Notifier) tidy(ctx context.Context, batch Batch, places []int, outcomes []push.Outcome, tally *Tally) {
	var dead []Device
	var tickets []Ticket
	for i, o := range outcomes {
		user := batch.Recipients[places[i]].ID
		for _, d := range o.Dead {
			dead = append(dead, Device{User: user, Provider: d.Provider, Token: d.Token})
		}
		if o.Accepted() && o.Provider == push.Expo && o.ID != "" {
			tickets = append(tickets, Ticket{ID: o.ID, Device: Device{User: user, Provider: o.Provider, Token: o.Token}, At: batch.At})
		}
	}
	ctx = context.WithoutCancel(ctx) // what the providers said is known only now
	log := runner.Logger(ctx)
	if len(dead) > 0 {
		removed, err := n.store.Forget(ctx, dead)
		tally.DeadTokensRemoved += removed
		if err != nil {
			log.WarnContext(ctx, "dead tokens not removed", slog.Int("tokens", len(dead)), slog.Any("error", err))
		}
	}
	if len(tickets) > 0 {
		if err := n.store.Keep(ctx, tickets); err != nil {
			log.WarnContext(ctx, "tickets not kept; their receipts will not be read", slog.Int("tickets", len(tickets)), slog.Any("error", err))
		}
	}
}

func (b Batch) notifications(places []int) []Notification {
	out := make([]Notification, len(places))
	for i, place := range places {
		r := b.Recipients[place]
		out[i] = Notification{Key: r.Key, Day: r.Day, User: r.ID, Title: b.Message.Title, Message: b.Message.Body, At: b.At}
	}
	return out
}

func (b Batch) deliveries(places []int) []push.Delivery {
	out := make([]push.Delivery, len(places))
	for i, place := range places {
		r := b.Recipients[place]
		out[i] = push.Delivery{FCMToken: r.FCMToken, ExpoToken: r.ExpoToken, Title: b.Message.Title, Body: b.Message.Body, Data: b.Message.Data}
	}
	return out
}

// settlements tells the ledger what became of each message. A user without a
// device has been told in the app, which is all there is to do.
func settlements(outcomes []push.Outcome) []ledger.Settlement {
	out := make([]ledger.Settlement, len(outcomes))
	for i, o := range outcomes {
		out[i].Reason = string(o.Reason)
		switch {
		case o.Accepted(), o.Reason == push.NoDevice:
			out[i].State = ledger.Done
		case o.Reason.Temporary():
			out[i].State = ledger.Free
		default:
			out[i].State = ledger.Failed
		}
	}
	return out
}
