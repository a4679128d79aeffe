package schedule

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// lastMillisecond is the end of JavaScript's dates, in the year 275760.
// longestDistance is what can be added to the present without passing it.
const (
	lastMillisecond = 8.64e15
	longestDistance = lastMillisecond - 4e12
)

// ParseStored reads the spec of a document that is in the queue already. It
// answers as [Parse] does, but for specs that Parse refuses and an Agenda runs
// at a rhythm of its own, such as "two and a half hours" (every two): their jobs
// keep that rhythm, since one that has run for years must not stop because it
// runs here.
//
// problem is why Parse refuses the spec; nil = it does not. The schedule is nil
// where the problem leaves none: no Agenda reads the text, or it runs the job in
// an endless loop. A schedule together with a problem is one that goes on as
// Agenda reads it, and the problem says how.
//
// The rhythm is that of Agenda 6.2.6, or where it has none that of Agenda 4
// and 5. A repeatAt goes on where its phrase has a time ahead.
func ParseStored(spec Spec, defaultZone *time.Location) (s *Schedule, problem error) {
	s, refused := Parse(spec, defaultZone)
	if refused == nil {
		return s, nil
	}
	s, ok := asAgendaRuns(spec, defaultZone)
	if !ok {
		return nil, fmt.Errorf("%w; the job has no next run", refused)
	}
	return s, fmt.Errorf("%w; the job goes on as Agenda reads it, %s", refused, s.Describe())
}

// asAgendaRuns finds the rhythm of a spec that Parse refuses.
func asAgendaRuns(spec Spec, defaultZone *time.Location) (*Schedule, bool) {
	s := &Schedule{source: spec.Interval, limits: newLimits(spec)}
	loc, known := storedZone(spec.Timezone, defaultZone)
	s.loc = loc
	if spec.Interval == "" {
		s.source = spec.RepeatAt
		p, f := parseRepeatAt(spec.RepeatAt)
		s.phrase = p
		return s, f == nil
	}
	if every, f := parseInterval(spec.Interval); f == nil { // only the zone was refused
		s.every = every
		return s, true
	}
	if ms, ok := agendaMilliseconds(spec.Interval); ok {
		s.every, ok = storedDistance(ms)
		return s, ok
	}
	if !known {
		return nil, false // Agenda runs no clock that it does not know
	}
	var f *fault
	if s.cron, f = parseCron(spec.Interval); f == nil {
		return s, true
	}
	c, ok := storedCron(spec.Interval)
	s.cron = c
	return s, ok
}

// storedDistance turns the milliseconds that Agenda adds into a distance. What
// is longer than a Duration holds becomes the longest, 292 years.
func storedDistance(ms float64) (time.Duration, bool) {
	if !(ms >= 1) || ms > longestDistance {
		return 0, false
	}
	every, f := wholeMilliseconds(math.Min(ms, float64(math.MaxInt64/int64(time.Millisecond))))
	return every, f == nil
}

// parseRepeatAt reads a phrase that need not repeat. Agenda, which knows no zone
// for it, asks for its next time after each run: "15th of march at 5pm" goes on
// until that day is over.
func parseRepeatAt(text string) (*phrase, *fault) {
	if f := tooLong(text); f != nil {
		return nil, f
	}
	p, f := parsePhrase(strings.TrimSpace(text))
	if f == nil && p.kind == phraseNow {
		f = faultf("", "has no next time")
	}
	return p, f
}

var anyOffset = regexp.MustCompile(`^utc([+-])(\d{1,2})(?::(\d{2}))?$`)

// storedZone is the zone in which an Agenda runs a job. known is false for one
// that none knows; a schedule that follows no clock can do with the default.
func storedZone(name string, defaultZone *time.Location) (loc *time.Location, known bool) {
	if defaultZone == nil {
		defaultZone = time.UTC
	}
	lower := strings.ToLower(name)
	switch lower {
	case "", "local", "system", "default":
		return defaultZone, true // that of its process
	}
	if loc, f := parseZone(name); f == nil {
		return loc, true
	}
	m := anyOffset.FindStringSubmatch(lower)
	if m == nil {
		return defaultZone, false
	}
	hours, _ := strconv.Atoi(m[2])
	minutes, _ := strconv.Atoi(m[3])
	seconds := hours*3600 + minutes*60
	if m[1] == "-" {
		seconds = -seconds
	}
	return time.FixedZone(strings.ToUpper(name), seconds), true
}
