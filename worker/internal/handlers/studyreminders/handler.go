// Package studyreminders is the job "send study reminders": it reminds users
// at the hour and minute that they chose, on their own clock (users.timezone)
// or on the configured one.
//
// Each run takes the minutes since the last one that succeeded, so none is
// missed while workers are away, nor sent twice; a reminder is sent once a
// local date. Minutes that are more than an hour late are not made up: nobody
// studies at the time that was three hours ago.
//
// In the Node backend only minutes divisible by ten worked, on the server's
// clock, and a reminder of a deleted user stopped all others.
package studyreminders

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/notify"
)

const (
	pageSize = 500
	// latest is how late a reminder may come.
	latest = time.Hour
	// keep is how long the ledger remembers a reminder's local date.
	keep = 72 * time.Hour
)

// message is the Node backend's.
var message = notify.Message{
	Title: "⏰ Nhắc học bài!",
	Body:  "Bạn đã đặt lịch học bây giờ đó!",
	Data:  map[string]string{"type": "reminder"},
}

// Result is what a run did.
type Result struct {
	notify.Tally
	From           time.Time `json:"from"`           // the minutes after this one …
	To             time.Time `json:"to"`             // … up to and with this one
	Reminders      int       `json:"reminders"`      // reminders that were due
	OptedOut       int       `json:"optedOut"`       // of users who switched notifications off
	MinutesTooLate int       `json:"minutesTooLate"` // minutes that were not made up
	Timezone       string    `json:"timezone"`
}

// Reminder is one that may be due.
type Reminder struct {
	ID   string
	User string // "" = none, or none that can be read
	Moment
}

// Store is the reminders.
type Store interface {
	// HandledUntil returns the minute up to which reminders were sent; zero =
	// none was yet.
	HandledUntil(ctx context.Context) (time.Time, error)
	// HandleUntil records it. It never goes back.
	HandleUntil(ctx context.Context, minute time.Time) error
	// At returns the next reminders for some moments, by id, after one.
	At(ctx context.Context, wanted []Moment, after string, limit int) ([]Reminder, error)
	// Malformed counts reminders that never can be due.
	Malformed(ctx context.Context) (int, error)
}

// People are the users.
type People interface {
	// ByID returns those that exist.
	ByID(ctx context.Context, ids []string) (map[string]notify.Person, error)
	// Timezones returns the time zones that users have of their own.
	Timezones(ctx context.Context) ([]string, error)
}

// Job is the job with what it needs.
type Job struct {
	Store    Store
	People   People
	Notifier *notify.Notifier
	Zone     *time.Location // of users without one of their own
	Now      func() time.Time
}

// Handler returns the handler.
func (s Job) Handler() runner.Handler { return runner.Handle(catalog.StudyReminders, s.Run) }

// Run sends what has become due up to the planned minute.
func (s Job) Run(ctx context.Context, j runner.Job[catalog.StudyRemindersPayload]) (Result, error) {
	result := Result{Tally: notify.NewTally(), Timezone: s.Zone.String()}
	due, err := s.window(ctx, j.Tick, &result)
	if err != nil {
		return Result{}, err
	}
	result.From, result.To = due.From.UTC(), due.To.UTC()
	if !due.From.Before(due.To) {
		return result, s.Store.HandleUntil(ctx, due.To) // handled already, or too late
	}
	if err := s.remindAll(ctx, j, due, &result); err != nil {
		return Result{}, err
	}
	if err := s.countMalformed(ctx, due, &result); err != nil {
		return Result{}, err
	}
	if err := result.Later(j.Attempt, catalog.StudyReminderAttempts); err != nil {
		return Result{}, err
	}
	if err := s.Store.HandleUntil(ctx, due.To); err != nil {
		return Result{}, err
	}
	runner.Progress(ctx, 100, fmt.Sprintf("%d reminders were due", result.Reminders))
	if result.Reminders > 0 || result.MinutesTooLate > 0 {
		runner.Logger(ctx).InfoContext(ctx, "reminded users", slog.Int("reminders", result.Reminders), slog.Int("opted_out", result.OptedOut),
			slog.Int("minutes_too_late", result.MinutesTooLate), slog.Any("tally", result.Tally))
	}
	return result, nil
}

// window is the minutes to handle: those since the last success, of at most
// an hour.
func (s Job) window(ctx context.Context, tick time.Time, result *Result) (window, error) {
	to := tick.Truncate(time.Minute)
	from, err := s.Store.HandledUntil(ctx)
	if err != nil {
		return window{}, err
	}
	if from.IsZero() {
		from = to.Add(-time.Minute)
	}
	earliest := s.Now().Truncate(time.Minute).Add(-latest)
	if earliest.After(to) {
		earliest = to // the run itself is late: nothing of it is left
	}
	if from.Before(earliest) {
		result.MinutesTooLate = int(earliest.Sub(from) / time.Minute)
		from = earliest
		runner.Logger(ctx).WarnContext(ctx, "minutes passed while no worker ran, and are too late to make up",
			slog.Int("minutes", result.MinutesTooLate), slog.Time("until", from))
	}
	return window{from, to}, nil
}

func (s Job) remindAll(ctx context.Context, j runner.Job[catalog.StudyRemindersPayload], due window, result *Result) error {
	clocks, err := s.clocks(ctx, due)
	if err != nil {
		return err
	}
	after, seen, wanted := "", 0, clocks.all()
	return s.Notifier.TellAll(ctx, notify.Round{
		Holder: notify.Holder(j), Message: message, Keep: keep, Attempt: j.Attempt, Attempts: catalog.StudyReminderAttempts, Now: s.Now,
		Next: func(ctx context.Context) ([]notify.Recipient, bool, error) {
			page, err := s.Store.At(ctx, wanted, after, pageSize)
			if err != nil || len(page) == 0 {
				return nil, false, err
			}
			after, seen = page[len(page)-1].ID, seen+len(page)
			recipients, err := s.recipients(ctx, page, clocks, result)
			return recipients, true, err
		},
		Told: func(ctx context.Context) { // how many there are, nobody has counted
			runner.Progress(ctx, 0, fmt.Sprintf("%d reminders looked at, %d due", seen, result.Reminders))
		},
	}, &result.Tally)
}

// recipients are the users of a page of reminders for whom it is time on their
// own clock.
func (s Job) recipients(ctx context.Context, page []Reminder, clocks clocks, result *Result) ([]notify.Recipient, error) {
	ids := make([]string, 0, len(page))
	for _, r := range page {
		if r.User != "" {
			ids = append(ids, r.User)
		}
	}
	people, err := s.People.ByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out []notify.Recipient
	for _, r := range page {
		person, exists := people[r.User]
		switch {
		case r.User == "":
			result.Bad(notify.NoUser)
			continue
		case !exists:
			result.Bad(notify.DeletedUser)
			runner.Logger(ctx).WarnContext(ctx, "a reminder belongs to a user who does not exist", slog.String("reminder", r.ID), slog.String("user", r.User))
			continue
		}
		date, isDue, known := clocks.due(person.Timezone, r.Moment)
		if !isDue {
			continue
		}
		if !known {
			result.Bad(notify.UnreadableZone)
		}
		result.Reminders++
		result.Bad(person.Faults...)
		if person.Quiet {
			result.OptedOut++
			continue
		}
		out = append(out, notify.Recipient{Person: person, Key: "reminder/" + date.Format(time.DateOnly) + "/" + r.ID, Day: date})
	}
	return out, nil
}

// countMalformed looks once an hour for reminders that are never due, because
// their time is none: they would be passed over in silence.
func (s Job) countMalformed(ctx context.Context, due window, result *Result) error {
	if due.To.Truncate(time.Hour).Equal(due.From.Truncate(time.Hour)) {
		return nil
	}
	n, err := s.Store.Malformed(ctx)
	if err != nil || n == 0 {
		return err
	}
	result.BadRows[notify.UnreadableTime] += n
	runner.Logger(ctx).WarnContext(ctx, "reminders that can never be due", slog.Int("count", n))
	return nil
}
