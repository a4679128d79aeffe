package schedule

import (
	"fmt"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/instant"
)

// Describe says in English when the schedule runs: "every day at 09:00 in
// Asia/Ho_Chi_Minh", "every 5 minutes". Cron expressions follow clocks, so their
// zone is named; distances are counted from the start of the last run.
func (s *Schedule) Describe() string {
	var text string
	switch {
	case s.cron != nil:
		text = s.cron.describe() + " in " + s.loc.String()
	case s.phrase != nil && s.phrase.kind == phraseDistance:
		text = fmt.Sprintf("repeating after %q", s.source)
	case s.phrase != nil:
		text = fmt.Sprintf("repeating at %q in %s", s.source, s.loc)
	default:
		text = "every " + describeDistance(s.every)
	}
	return text + s.limits.describe()
}

func (l limits) describe() string {
	var b strings.Builder
	if !l.start.IsZero() {
		b.WriteString(", not before " + instant.Text(l.start))
	}
	if !l.end.IsZero() {
		b.WriteString(", not after " + instant.Text(l.end))
	}
	if len(l.skip) > 0 {
		names := make([]string, len(l.skip))
		for i, day := range l.skip {
			names[i] = day.String()
		}
		b.WriteString(", moved to the next day from " + joinAnd(names))
	}
	return b.String()
}

// describeDistance says "5 minutes", "day", "1 hour and 30 minutes": the words
// behind "every".
func describeDistance(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{
		{24 * time.Hour, "day"},
		{time.Hour, "hour"},
		{time.Minute, "minute"},
		{time.Second, "second"},
		{time.Millisecond, "millisecond"},
	} {
		n := int64(d / unit.length)
		d %= unit.length
		if n > 0 {
			parts = append(parts, plural(n, unit.name))
		}
	}
	if len(parts) == 1 {
		return strings.TrimPrefix(parts[0], "1 ")
	}
	return joinAnd(parts)
}

func plural(n int64, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

// joinAnd joins a list the way English does: "a, b and c".
func joinAnd(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " and " + list[last]
}
