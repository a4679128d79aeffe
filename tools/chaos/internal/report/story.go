package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// Story puts a whole history into words, one line for each thing that happened.
func Story(story check.Story) string {
	var text strings.Builder
	for _, line := range story.Lines {
		seconds := time.Duration(line.At - story.Lines[0].At).Seconds()
		fmt.Fprintf(&text, "%7.2f s %-12s %-9s %s\n", seconds, line.Process, line.Event, details(line))
	}
	return text.String()
}

func details(line history.Line) string {
	var of []string
	add := func(name, value string) {
		if value != "" {
			of = append(of, name+value)
		}
	}
	add("job ", line.Job)
	add("", line.Name)
	add("key ", line.Key)
	if line.Attempt > 0 {
		of = append(of, fmt.Sprintf("attempt %d of %s", line.Attempt, time.UnixMilli(line.Tick).UTC().Format("15:04:05.000")))
	}
	add("", line.Outcome)
	add("holder ", line.Holder)
	if line.For > 0 {
		of = append(of, "for "+line.For.String())
	}
	if line.Count > 0 {
		of = append(of, fmt.Sprintf("count %d", line.Count))
	}
	add("", line.Note)
	return strings.Join(of, ", ")
}
