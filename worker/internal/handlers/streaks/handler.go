// Package streaks is the job "update user streaks": it counts for each user the
// consecutive days, ending today or yesterday in the configured zone, on which
// an exam, a practice or a part of a journey was finished, and stores it as
// streak {count, lastUpdated, longest, lastActiveDay} with the user.
//
// Everything is derived from the history, that of archived exams included, so a
// second run finds nothing to change, and results that phones deliver late mend
// the streak with the next run. Users are read in pages in the order of their
// ids, and the history of a page by a range of users: memory and the number of
// commands depend on the size of a page, and a run can stop after any page.
//
// The Node backend read activity from a field that nothing writes, and never
// counted a streak up.
package streaks

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/runner"
)

// Result is what a run tells. The first key is that of the Node backend's
// result.
type Result struct {
	UpdatedCount  int64            `json:"updatedCount"`  // users whose streak changed
	TotalUsers    int64            `json:"totalUsers"`    // users that were looked at
	ActiveStreaks int64            `json:"activeStreaks"` // users whose streak is one day or more
	LongestStreak int              `json:"longestStreak"` // of those that are going on, in days
	Activities    int64            `json:"activities"`    // finished exams, practices and parts of journeys that counted
	Day           string           `json:"day"`           // the day that counted as today, YYYY-MM-DD
	Timezone      string           `json:"timezone"`
	DryRun        bool             `json:"dryRun"`
	Skipped       map[string]int64 `json:"skipped"` // what could not be counted or stored, by reason
}

// Stored is what a user document has as streak.
type Stored struct {
	Object        bool // it is an object; anything else is replaced
	Count         int
	Longest       int
	LastActiveDay string
	Complete      bool // every key was there, with the right type
}

// UserID is the id of a user, 12 bytes; users are read in their order. Zero = none.
type UserID [12]byte

// User is one user of a page.
type User struct {
	ID     UserID
	Streak Stored
}

// Update is a streak to store.
type Update struct {
	ID             UserID
	Object         bool // the user has a streak object, whose other keys stay
	Count, Longest int
	LastActiveDay  string    // "" = never
	LastUpdated    time.Time // when the streak last changed
}

// Store is what the job reads and writes.
type Store interface {
	// Count tells roughly how many users there are, for the progress.
	Count(ctx context.Context) (int64, error)
	// Users returns the next page of users behind an id, in order of their
	// ids; the last page is shorter than PageSize.
	Users(ctx context.Context, after UserID) ([]User, error)
	// Activity calls each for everything that users behind one id and up to
	// another finished; upTo zero = all that follow. What has no readable time
	// is told to skip with the reason.
	Activity(ctx context.Context, after, upTo UserID, each func(user UserID, at time.Time), skip func(reason string)) error
	// Foreign counts, by reason, documents that belong to no user id, and users
	// that have none.
	Foreign(ctx context.Context) (map[string]int64, error)
	// Save stores streaks. It returns how many changed, and by reason those
	// that the database refused.
	Save(ctx context.Context, updates []Update) (changed int64, refused map[string]int64, err error)
}

// PageSize is the number of users of a page.
const PageSize = 2000

// The reasons in Result.Skipped that are found here.
const (
	SkippedNobody = "activity of a user who does not exist"
	SkippedFuture = "time of activity is in the future"
)

// New returns the handler. zone is where days begin; now is the clock.
func New(store Store, zone *time.Location, now func() time.Time) runner.Handler {
	return runner.Handle(catalog.Streaks, func(ctx context.Context, j runner.Job[catalog.StreaksPayload]) (Result, error) {
		at := now().UTC().Truncate(time.Millisecond)
		c := count{store: store, zone: zone, at: at, today: DayOf(at, zone), result: Result{
			Timezone: zone.String(), DryRun: j.Payload.DryRun, Skipped: map[string]int64{},
		}}
		c.result.Day = c.today.String()
		err := c.run(ctx)
		return c.result, err
	})
}

// count is one run.
type count struct {
	store  Store
	zone   *time.Location
	at     time.Time
	today  Day
	result Result
}

func (c *count) run(ctx context.Context) error {
	total, err := c.store.Count(ctx)
	if err != nil {
		return fmt.Errorf("count users: %w", err)
	}
	runner.Logger(ctx).InfoContext(ctx, "counting streaks", slog.Int64("users", total), slog.String("day", c.result.Day))
	var after UserID
	for more := true; more; {
		if err := runner.Heartbeat(ctx); err != nil {
			return err
		}
		users, err := c.store.Users(ctx, after)
		if err != nil {
			return fmt.Errorf("read users: %w", err)
		}
		upTo := UserID{} // zero: the last page also meets the activity of users who are gone
		if more = len(users) == PageSize; more {
			upTo = users[len(users)-1].ID
		}
		if err := c.page(ctx, users, after, upTo); err != nil {
			return err
		}
		after = upTo
		runner.Progress(ctx, float64(c.result.TotalUsers)*100/float64(max(total, c.result.TotalUsers)), fmt.Sprintf("%d users", c.result.TotalUsers))
	}
	return c.finish(ctx)
}

// page counts and stores the streaks of one page of users.
func (c *count) page(ctx context.Context, users []User, after, upTo UserID) error {
	active := make(map[UserID]days, len(users))
	for _, user := range users {
		active[user.ID] = nil
	}
	err := c.store.Activity(ctx, after, upTo, func(user UserID, at time.Time) {
		of, known := active[user]
		day := DayOf(at, c.zone)
		switch {
		case !known:
			c.result.Skipped[SkippedNobody]++
			return
		case day > c.today:
			c.result.Skipped[SkippedFuture]++
			return
		case of == nil:
			of = days{}
			active[user] = of
		}
		of[day] = struct{}{}
		c.result.Activities++
	}, func(reason string) { c.result.Skipped[reason]++ })
	if err != nil {
		return fmt.Errorf("read activity: %w", err)
	}
	var updates []Update
	for _, user := range users {
		if update, changed := c.judge(user, active[user.ID]); changed {
			updates = append(updates, update)
		}
	}
	c.result.TotalUsers += int64(len(users))
	return c.save(ctx, updates)
}

// judge compares what a user has with what the history says. The longest streak
// never shrinks: the history of it may be gone.
func (c *count) judge(user User, active days) (Update, bool) {
	counted, longest, last := active.streak(c.today)
	if counted > 0 {
		c.result.ActiveStreaks++
		c.result.LongestStreak = max(c.result.LongestStreak, counted)
	}
	update := Update{ID: user.ID, Object: user.Streak.Object, Count: counted, Longest: max(longest, user.Streak.Longest), LastUpdated: c.at}
	if len(active) > 0 {
		update.LastActiveDay = last.String()
	}
	stored := user.Streak
	if !stored.Object && len(active) == 0 {
		return update, false // never learned: no streak, and none to reset
	}
	same := stored.Complete && stored.Count == update.Count && stored.Longest == update.Longest && stored.LastActiveDay == update.LastActiveDay
	return update, !same
}

func (c *count) save(ctx context.Context, updates []Update) error {
	if c.result.DryRun || len(updates) == 0 {
		c.result.UpdatedCount += int64(len(updates))
		return nil
	}
	changed, refused, err := c.store.Save(ctx, updates)
	if err != nil {
		return fmt.Errorf("store streaks: %w", err)
	}
	c.result.UpdatedCount += changed
	c.skip(refused)
	return nil
}

func (c *count) finish(ctx context.Context) error {
	foreign, err := c.store.Foreign(ctx)
	if err != nil {
		return fmt.Errorf("count what belongs to no user: %w", err)
	}
	c.skip(foreign)
	log := runner.Logger(ctx)
	for reason, n := range c.result.Skipped {
		log.WarnContext(ctx, "not counted", slog.String("reason", reason), slog.Int64("count", n))
	}
	log.InfoContext(ctx, "streaks counted", slog.Int64("updated", c.result.UpdatedCount), slog.Int64("active", c.result.ActiveStreaks))
	runner.Progress(ctx, 100, "streaks stored")
	return nil
}

func (c *count) skip(counts map[string]int64) {
	for reason, n := range counts {
		if n > 0 {
			c.result.Skipped[reason] += n
		}
	}
}
