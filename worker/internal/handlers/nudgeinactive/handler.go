// Package nudgeinactive is the job "nudge inactive users": it asks users back
// who have not practised for seven days, once in seven days. That they were
// asked shows in their notifications, by the title, as in the Node backend.
//
// A user who never practised counts from the day of registration; the Node
// backend never asked them.
package nudgeinactive

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
	// idle is how long a user must have been away, and how long nothing is
	// said again.
	idle = 7 * 24 * time.Hour
	// keep is how long the ledger remembers who was asked on a day.
	keep = 72 * time.Hour
)

// message is the Node backend's. Its title is the key that keeps users from
// being asked twice in a week, in data that Node wrote too.
var message = notify.Message{
	Title: "📚 Đã lâu bạn chưa học!",
	Body:  "Hãy quay lại luyện tập để không quên kiến thức nhé!",
	Data:  map[string]string{"type": "reminder"},
}

// Result is what a run did.
type Result struct {
	notify.Tally
	TotalUsers  int       `json:"totalUsers"`  // users who were looked at
	Inactive    int       `json:"inactive"`    // users who have been away for the time
	ToldBefore  int       `json:"toldBefore"`  // of them, asked within the last seven days
	OptedOut    int       `json:"optedOut"`    // of them, switched notifications off
	ActiveSince time.Time `json:"activeSince"` // who practised after this is active
	Day         string    `json:"day"`         // local date, YYYY-MM-DD
}

// Set is a set of users.
type Set map[string]bool

// Store is what users did.
type Store interface {
	// Active returns which of some users finished an exam or a practice at or
	// after an instant, or registered then.
	Active(ctx context.Context, users []string, since time.Time) (Set, error)
	// Told returns which of some users got a notification with a title at or
	// after an instant.
	Told(ctx context.Context, users []string, title string, since time.Time) (Set, error)
}

// People are the users.
type People interface {
	// Count returns about how many there are.
	Count(ctx context.Context) (int64, error)
	// Foreign counts those that Page cannot return.
	Foreign(ctx context.Context) (int, error)
	// Page returns the next users by id, after one; "" = from the start.
	Page(ctx context.Context, after string, limit int) ([]notify.Person, error)
}

// Job is the job with what it needs.
type Job struct {
	Store    Store
	People   People
	Notifier *notify.Notifier
	Zone     *time.Location // where days begin
	Now      func() time.Time
}

// Handler returns the handler.
func (n Job) Handler() runner.Handler { return runner.Handle(catalog.NudgeInactive, n.Run) }

// Run asks the users who are inactive at the planned time.
func (n Job) Run(ctx context.Context, j runner.Job[catalog.NudgeInactivePayload]) (Result, error) {
	year, month, date := j.Tick.In(n.Zone).Date()
	day := time.Date(year, month, date, 0, 0, 0, 0, n.Zone)
	result := Result{Tally: notify.NewTally(), ActiveSince: j.Tick.Add(-idle).UTC(), Day: day.Format(time.DateOnly)}
	about, err := n.People.Count(ctx)
	if err != nil {
		return Result{}, err
	}
	foreign, err := n.People.Foreign(ctx)
	if err != nil {
		return Result{}, err
	}
	if foreign > 0 {
		result.BadRows[notify.ForeignID] = foreign
	}
	if err := n.nudgeAll(ctx, j, day, about, &result); err != nil {
		return Result{}, err
	}
	runner.Logger(ctx).InfoContext(ctx, "asked inactive users back", slog.Int("users", result.TotalUsers), slog.Int("inactive", result.Inactive),
		slog.Int("told_before", result.ToldBefore), slog.Int("opted_out", result.OptedOut), slog.Any("tally", result.Tally))
	if err := result.Later(j.Attempt, catalog.NotificationAttempts); err != nil {
		return Result{}, err
	}
	return result, nil
}

func (n Job) nudgeAll(ctx context.Context, j runner.Job[catalog.NudgeInactivePayload], day time.Time, about int64, result *Result) error {
	after := ""
	return n.Notifier.TellAll(ctx, notify.Round{
		Holder: notify.Holder(j), Message: message, Keep: keep, Attempt: j.Attempt, Attempts: catalog.NotificationAttempts, Now: n.Now,
		Next: func(ctx context.Context) ([]notify.Recipient, bool, error) {
			page, err := n.People.Page(ctx, after, pageSize)
			if err != nil || len(page) == 0 {
				return nil, false, err
			}
			after = page[len(page)-1].ID
			result.TotalUsers += len(page)
			recipients, err := n.recipients(ctx, page, j, day, result)
			return recipients, true, err
		},
		Told: func(ctx context.Context) {
			runner.Progress(ctx, 100*float64(result.TotalUsers)/float64(max(about, int64(result.TotalUsers))),
				fmt.Sprintf("%d of about %d users", result.TotalUsers, about))
		},
	}, &result.Tally)
}

// recipients are the users of a page who are away and were not asked lately.
func (n Job) recipients(ctx context.Context, page []notify.Person, j runner.Job[catalog.NudgeInactivePayload], day time.Time, result *Result) ([]notify.Recipient, error) {
	active, err := n.Store.Active(ctx, idsOf(page), result.ActiveSince)
	if err != nil {
		return nil, err
	}
	var away []notify.Person
	for _, person := range page {
		result.Bad(person.Faults...)
		if !active[person.ID] {
			away = append(away, person)
		}
	}
	result.Inactive += len(away)
	if len(away) == 0 {
		return nil, nil
	}
	told, err := n.Store.Told(ctx, idsOf(away), message.Title, j.Tick.Add(-idle))
	if err != nil {
		return nil, err
	}
	var out []notify.Recipient
	for _, person := range away {
		switch {
		case person.Quiet:
			result.OptedOut++
		case told[person.ID]:
			result.ToldBefore++
		default:
			out = append(out, notify.Recipient{Person: person, Key: "nudge/" + result.Day + "/" + person.ID, Day: day})
		}
	}
	return out, nil
}

func idsOf(people []notify.Person) []string {
	out := make([]string, len(people))
	for i, p := range people {
		out[i] = p.ID
	}
	return out
}
