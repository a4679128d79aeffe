// Package dailynotifications is the job "send daily notifications": it tells
// every user once a local day that it is time to practise, in the app and on
// the phone.
//
// Users who switched it off (notificationsEnabled or dailyNotifications is
// false) are left out; a missing or null flag means on. The Node backend asked
// for both flags to be true, which nothing ever sets, and told nobody.
package dailynotifications

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
	// keep is how long the ledger remembers who was told: longer than the
	// day and every retry of its run.
	keep = 72 * time.Hour
)

// message is the Node backend's.
var message = notify.Message{
	Title: "Daily English Practice",
	Body:  "Time for your daily English lesson! 📚",
	Data:  map[string]string{"type": "daily_reminder"},
}

// Result is what a run did. sentCount and totalUsers are the keys of the Node
// backend's result.
type Result struct {
	notify.Tally
	TotalUsers int    `json:"totalUsers"` // users who want to be told
	OptedOut   int    `json:"optedOut"`   // users who do not
	Day        string `json:"day"`        // local date, YYYY-MM-DD
	Timezone   string `json:"timezone"`
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
	People   People
	Notifier *notify.Notifier
	Zone     *time.Location // where days begin
	Now      func() time.Time
}

// Handler returns the handler.
func (d Job) Handler() runner.Handler { return runner.Handle(catalog.DailyNotifications, d.Run) }

// Run tells the users of the local day in which the run was planned.
func (d Job) Run(ctx context.Context, j runner.Job[catalog.DailyNotificationsPayload]) (Result, error) {
	day := startOfDay(j.Tick, d.Zone)
	if today := startOfDay(d.Now(), d.Zone); today.After(day) {
		return Result{}, runner.Discard(fmt.Sprintf("the day %s is over: nobody wants its notification now", day.Format(time.DateOnly)))
	}
	result := Result{Tally: notify.NewTally(), Day: day.Format(time.DateOnly), Timezone: d.Zone.String()}
	about, err := d.People.Count(ctx)
	if err != nil {
		return Result{}, err
	}
	foreign, err := d.People.Foreign(ctx)
	if err != nil {
		return Result{}, err
	}
	if foreign > 0 {
		result.BadRows[notify.ForeignID] = foreign
	}
	log := runner.Logger(ctx)
	log.InfoContext(ctx, "telling users", slog.String("day", result.Day), slog.Int64("about", about), slog.Int("attempt", j.Attempt))
	if err := d.tellAll(ctx, j, day, about, &result); err != nil {
		return Result{}, err
	}
	log.InfoContext(ctx, "told users", slog.Int("wanted", result.TotalUsers), slog.Int("opted_out", result.OptedOut), slog.Any("tally", result.Tally))
	if err := result.Later(j.Attempt, catalog.NotificationAttempts); err != nil {
		return Result{}, err
	}
	return result, nil
}

func (d Job) tellAll(ctx context.Context, j runner.Job[catalog.DailyNotificationsPayload], day time.Time, about int64, result *Result) error {
	after, seen := "", 0
	return d.Notifier.TellAll(ctx, notify.Round{
		Holder: notify.Holder(j), Message: message, Keep: keep, Attempt: j.Attempt, Attempts: catalog.NotificationAttempts, Now: d.Now,
		Next: func(ctx context.Context) ([]notify.Recipient, bool, error) {
			page, err := d.People.Page(ctx, after, pageSize)
			if err != nil || len(page) == 0 {
				return nil, false, err
			}
			after, seen = page[len(page)-1].ID, seen+len(page)
			return recipients(page, day, result), true, nil
		},
		Told: func(ctx context.Context) {
			runner.Progress(ctx, 100*float64(seen)/float64(max(about, int64(seen))), fmt.Sprintf("%d of about %d users", seen, about))
		},
	}, &result.Tally)
}

// recipients are the users of a page who want to be told.
func recipients(page []notify.Person, day time.Time, result *Result) []notify.Recipient {
	out := make([]notify.Recipient, 0, len(page))
	for _, person := range page {
		result.Bad(person.Faults...)
		if person.Quiet || person.NoDaily {
			result.OptedOut++
			continue
		}
		result.TotalUsers++
		out = append(out, notify.Recipient{Person: person, Key: "daily/" + result.Day + "/" + person.ID, Day: day})
	}
	return out
}

// startOfDay is the local midnight before t, or the first instant of a day
// that has no midnight.
func startOfDay(t time.Time, zone *time.Location) time.Time {
	year, month, day := t.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, zone)
}
