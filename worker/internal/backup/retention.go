package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Retention tells which backups stay: all that are younger than All; and of the
// newest Daily days that have a backup, the newest backup of each; likewise for
// weeks (from Monday) and months. A backup that stays for any reason stays, and
// the newest always does.
//
// All is for the day on which data is found to be spoiled: the backup that
// somebody makes then is the newest of its day, and the good one of the night
// must not go for it.
//
// Days without a backup do not count, so that a pause removes nothing. Backups
// from the future, which a wrong clock makes, stay and count for nothing.
type Retention struct {
	All                    time.Duration
	Daily, Weekly, Monthly int
	// Zone is where days begin. nil = UTC.
	Zone *time.Location
}

// The reasons for which a backup stays.
const (
	KeptNewest  = "newest"
	KeptRecent  = "recent"
	KeptDaily   = "daily"
	KeptWeekly  = "weekly"
	KeptMonthly = "monthly"
	KeptFuture  = "from the future"
)

// Reasons tells why each name stays. Names without a reason may go. Only
// backups of one database are looked at.
func (r Retention) Reasons(database string, names []string, now time.Time) map[string][]string {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	reasons := map[string][]string{}
	seen := map[string]map[string]bool{KeptDaily: {}, KeptWeekly: {}, KeptMonthly: {}}
	keep := func(name, reason, period string, most int) {
		if periods := seen[reason]; len(periods) < most && !periods[period] {
			periods[period] = true
			reasons[name] = append(reasons[name], reason)
		}
	}
	newest := true
	for _, b := range newestFirst(database, names) {
		if b.started.After(now) {
			reasons[b.name] = append(reasons[b.name], KeptFuture)
			continue
		}
		if newest {
			reasons[b.name] = append(reasons[b.name], KeptNewest)
			newest = false
		}
		if now.Sub(b.started) < r.All {
			reasons[b.name] = append(reasons[b.name], KeptRecent)
		}
		local := b.started.In(zone)
		year, week := local.ISOWeek()
		keep(b.name, KeptDaily, local.Format(time.DateOnly), r.Daily)
		keep(b.name, KeptWeekly, fmt.Sprint(year, "-", week), r.Weekly)
		keep(b.name, KeptMonthly, local.Format("2006-01"), r.Monthly)
	}
	return reasons
}

// Prune removes the backups of a database that have no reason to stay, and
// returns their names. It goes on after a failure.
func Prune(ctx context.Context, store Store, database string, r Retention, now time.Time) ([]string, error) {
	names, err := store.Names(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the backups: %w", err)
	}
	reasons := r.Reasons(database, names, now)
	var removed []string
	var failures []error
	for _, b := range slices.Backward(newestFirst(database, names)) {
		if len(reasons[b.name]) > 0 {
			continue
		}
		if err := store.Remove(ctx, b.name); err != nil {
			failures = append(failures, fmt.Errorf("remove the backup %s: %w", b.name, err))
			continue
		}
		removed = append(removed, b.name)
	}
	return removed, errors.Join(failures...)
}

// dated is a backup by its name.
type dated struct {
	name    string
	started time.Time
}

// newestFirst lists the backups of a database.
func newestFirst(database string, names []string) []dated {
	var out []dated
	for _, name := range names {
		if of, started, err := ParseName(name); err == nil && of == database {
			out = append(out, dated{name, started})
		}
	}
	slices.SortFunc(out, func(a, b dated) int { return b.started.Compare(a.started) })
	return out
}
