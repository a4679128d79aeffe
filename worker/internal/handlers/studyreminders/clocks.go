package studyreminders

import (
	"context"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// clocks are the moments of a window on every clock that users go by.
type clocks struct {
	configured moments
	own        map[string]moments // by time zone; nil = there is no such zone
}

// clocks reads which time zones are in use.
func (s Job) clocks(ctx context.Context, due window) (clocks, error) {
	names, err := s.People.Timezones(ctx)
	if err != nil {
		return clocks{}, err
	}
	c := clocks{configured: momentsIn(due, s.Zone), own: map[string]moments{}}
	for _, name := range names {
		if zone, err := schedule.ParseZone(name); err == nil {
			c.own[name] = momentsIn(due, zone)
		}
	}
	return c, nil
}

// all lists the moments to look for, each once.
func (c clocks) all() []Moment {
	seen := map[Moment]bool{}
	var out []Moment
	for _, clock := range append([]moments{c.configured}, values(c.own)...) {
		for m := range clock {
			if !seen[m] {
				seen[m] = true
				out = append(out, m)
			}
		}
	}
	return out
}

func values(m map[string]moments) []moments {
	out := make([]moments, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// due tells whether a moment was shown on the clock of a time zone, and on
// which local date. known is false when there is no such zone, and the
// configured clock counts.
func (c clocks) due(timezone string, m Moment) (date time.Time, due, known bool) {
	clock, known := c.own[timezone]
	if !known {
		clock, known = c.configured, timezone == ""
	}
	date, due = clock[m]
	return date, due, known
}
