package schedule_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/etrainer/backend/pkg/schedule"
)

// drawnCron is an expression together with the values that its fields allow.
type drawnCron struct {
	text                              string
	minute, hour, day, month, weekday []int
	anyDay, anyWeekday                bool
}

// drawField draws *, a value, a range, a step or a list, and what it allows.
func drawField(t *rapid.T, name string, low, high int) (string, []int, bool) {
	span := func(from, to, step int) []int {
		var values []int
		for n := from; n <= to; n += step {
			values = append(values, n)
		}
		return values
	}
	a := rapid.IntRange(low, high).Draw(t, name+"A")
	b := rapid.IntRange(low, high).Draw(t, name+"B")
	from, to := min(a, b), max(a, b)
	step := rapid.IntRange(1, 20).Draw(t, name+"Step")
	switch rapid.IntRange(0, 5).Draw(t, name+"Kind") {
	case 0:
		return "*", span(low, high, 1), true
	case 1:
		return strconv.Itoa(a), []int{a}, false
	case 2:
		return fmt.Sprintf("%d-%d", from, to), span(from, to, 1), false
	case 3:
		return fmt.Sprintf("*/%d", step), span(low, high, step), false
	case 4:
		return fmt.Sprintf("%d-%d/%d", from, to, step), span(from, to, step), false
	default:
		if from == to {
			return strconv.Itoa(a), []int{a}, false
		}
		return fmt.Sprintf("%d,%d", to, from), []int{from, to}, false
	}
}

func drawCron(t *rapid.T) drawnCron {
	var c drawnCron
	parts := make([]string, 5)
	parts[0], c.minute, _ = drawField(t, "minute", 0, 59)
	parts[1], c.hour, _ = drawField(t, "hour", 0, 23)
	parts[2], c.day, c.anyDay = drawField(t, "day", 1, 31)
	parts[3], c.month, _ = drawField(t, "month", 1, 12)
	parts[4], c.weekday, c.anyWeekday = drawField(t, "weekday", 0, 6)
	c.text = strings.Join(parts, " ")
	return c
}

// allows is cron's rule, written a second time.
func (c drawnCron) allows(at time.Time) bool {
	day, weekday := slices.Contains(c.day, at.Day()), slices.Contains(c.weekday, int(at.Weekday()))
	dayAllowed := day && weekday
	if !c.anyDay && !c.anyWeekday {
		dayAllowed = day || weekday
	}
	return dayAllowed && at.Second() == 0 && slices.Contains(c.minute, at.Minute()) &&
		slices.Contains(c.hour, at.Hour()) && slices.Contains(c.month, int(at.Month()))
}

// parseDrawn parses an expression; one whose days never come is drawn again.
func parseDrawn(t *rapid.T, c drawnCron, zone string) *schedule.Schedule {
	s, err := schedule.Parse(schedule.Spec{Interval: c.text, Timezone: zone}, nil)
	if err != nil {
		if strings.Contains(err.Error(), "never runs") && c.anyWeekday && c.day[0] > 29 {
			t.SkipNow()
		}
		t.Fatalf("%q: %v", c.text, err)
	}
	return s
}

var drawInstant = rapid.Custom(func(t *rapid.T) time.Time {
	return time.UnixMilli(rapid.Int64Range(1.6e12, 2.6e12).Draw(t, "unixMilli"))
})

// In a zone without clock changes the next tick is the first minute that the
// fields allow.
func TestPropertyNextIsTheFirstAllowedMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, from := drawCron(t), drawInstant.Draw(t, "from").UTC()
		s := parseDrawn(t, c, "")
		got, ok := s.Next(from)
		if !ok || !got.After(from) || !c.allows(got.UTC()) {
			t.Fatalf("%q after %s: got %s, %v", c.text, from, got, ok)
		}
		const scanned = 3 * 24 * 60
		first := from.Truncate(time.Minute)
		for range scanned {
			first = first.Add(time.Minute)
			if !first.Before(got) {
				return
			}
			if c.allows(first) {
				t.Fatalf("%q after %s: got %s, but %s is earlier", c.text, from, got, first)
			}
		}
	})
}

var changingZones = []string{
	"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham",
	"Africa/Cairo", "America/Nuuk", "Antarctica/Troll", "America/Havana", "Africa/Casablanca",
}

// Across clock changes ticks still increase, and each is one that the fields
// allow or that a gap moved: then its day had a change of the offset.
func TestPropertyTicksIncreaseAndMatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, from := drawCron(t), drawInstant.Draw(t, "from")
		zone := rapid.SampledFrom(changingZones).Draw(t, "zone")
		s := parseDrawn(t, c, zone)
		last := from
		for _, tick := range s.NextN(from, 50) {
			if !tick.After(last) || tick.Location() != s.Location() {
				t.Fatalf("%q in %s: %s does not follow %s", c.text, zone, tick, last)
			}
			if !c.allows(tick) && !changesNear(tick) {
				t.Fatalf("%q in %s: ticks at %s", c.text, zone, tick)
			}
			last = tick
		}
	})
}

func changesNear(t time.Time) bool {
	_, before := t.Add(-4 * time.Hour).Zone()
	_, at := t.Zone()
	return before != at
}

// A fixed time of day runs once on every calendar day, whatever the clocks do.
func TestPropertyDailyRunsOncePerDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(changingZones).Draw(t, "zone")
		hour, minute := rapid.IntRange(0, 22).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
		s, err := schedule.Parse(schedule.Spec{Interval: fmt.Sprintf("%d %d * * *", minute, hour), Timezone: zone}, nil)
		if err != nil {
			t.Fatal(err)
		}
		day := rapid.IntRange(0, 2000).Draw(t, "day")
		at, _ := s.Next(time.Date(2022, 1, 1+day, 12, 0, 0, 0, time.UTC))
		for range 400 {
			next, ok := s.Next(at)
			year, month, day := at.Date()
			tomorrow := time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			if !ok || next.Format(time.DateOnly) != tomorrow {
				t.Fatalf("%s in %s: %s is followed by %s", s, zone, at, next)
			}
			at = next
		}
	})
}

// Two expressions with one description tick alike: a description leaves nothing
// out.
func TestPropertyDescriptionsAreComplete(t *testing.T) {
	t.Parallel()
	type sample struct {
		expr  string
		ticks []time.Time
	}
	seen := map[string]sample{}
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		extra := rapid.SampledFrom([]string{
			"0 0 L * *", "0 0 * * 1#2", "0 0 * * 1L", "0 0 15,L * 1", "* 9-17 * * 1-5",
			"0 */2 * * *", "*/10 0 * * * *", "*/10 * * * * *", "0 0 8-14 * *", "0 0 * * *#2",
		}).Draw(t, "extra")
		for _, c := range []drawnCron{drawCron(t), {text: extra}} {
			expr, s := c.text, parseDrawn(t, c, "")
			text, ticks := s.Describe(), s.NextN(from, 200)
			other, ok := seen[text]
			if ok && !slices.EqualFunc(ticks, other.ticks, time.Time.Equal) {
				t.Fatalf("%q and %q are both %q", expr, other.expr, text)
			}
			seen[text] = sample{expr, ticks}
		}
	})
}
