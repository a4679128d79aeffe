package schedulecmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/pkg/schedule"
)

// nextFlags are those of "schedule next".
type nextFlags struct {
	flags
	last  string
	start string
	end   string
	skip  []string
	count int
}

func nextCommand(now func() time.Time) *cobra.Command {
	var f nextFlags
	cmd := &cobra.Command{
		Use:   "next EXPR",
		Short: "Print the next runs of a repeatInterval",
		Long: "Print the next runs of a repeatInterval: a cron expression, a distance such as\n" +
			"\"5 minutes\", or milliseconds. The first run is what Agenda 6.2.6 stores as\n" +
			"nextRunAt for a job that last ran at --last; a job that never ran and repeats\n" +
			"after a distance runs at once. Each further run is counted from the one before.",
		Example: "  worker schedule next \"0 9 * * mon-fri\" --timezone Asia/Ho_Chi_Minh --count 3\n" +
			"  worker schedule next \"1.5 hours\" --last 2024-01-17T10:20:00Z",
		Args:          cobra.ExactArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return show(cmd.OutOrStdout(), f.json, func() (answer, error) { return f.next(args[0], now) })
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.last, "last", "", "when the job last ran (default: it never ran)")
	cmd.Flags().StringVar(&f.start, "start", "", "startDate: nothing runs before it")
	cmd.Flags().StringVar(&f.end, "end", "", "endDate: nothing runs after it")
	cmd.Flags().StringSliceVar(&f.skip, "skip", nil, "skipDays: weekdays on which nothing runs, such as saturday,sunday or 6,0")
	cmd.Flags().IntVar(&f.count, "count", 1, fmt.Sprintf("how many runs to print, at most %d", MaxCount))
	return cmd
}

// next computes the answer of "schedule next".
func (f *nextFlags) next(expr string, now func() time.Time) (answer, error) {
	if f.count < 1 || f.count > MaxCount {
		return answer{}, fmt.Errorf("--count %d: write a number from 1 to %d", f.count, MaxCount)
	}
	from, zone, err := f.setting(now)
	if err != nil {
		return answer{}, err
	}
	var last time.Time
	spec := schedule.Spec{Interval: expr}
	for _, bound := range []struct {
		flag, text string
		into       *time.Time
	}{{"--last", f.last, &last}, {"--start", f.start, &spec.Start}, {"--end", f.end, &spec.End}} {
		if bound.text == "" {
			continue
		}
		if *bound.into, err = schedule.ParseWhen(bound.text, from, zone); err != nil {
			return answer{}, inFlag(bound.flag, err)
		}
	}
	if spec.SkipDays, err = weekdays(f.skip); err != nil {
		return answer{}, err
	}
	s, err := schedule.Parse(spec, zone)
	if err != nil {
		return answer{}, err
	}
	return answer{words: s.Describe(), zone: zone, from: from, runs: runs(s, last, from, f.count)}, nil
}

// runs computes the first run as Agenda does, and the others from it.
func runs(s *schedule.Schedule, last, from time.Time, count int) []time.Time {
	first, ok := s.NextRun(last, time.Time{}, from)
	if !ok {
		return nil
	}
	return append([]time.Time{first}, s.NextN(first, count-1)...)
}

// weekdays reads names, their first three letters or numbers from Sunday, 0.
func weekdays(texts []string) ([]time.Weekday, error) {
	var days []time.Weekday
	for _, text := range texts {
		found := false
		for day := time.Sunday; day <= time.Saturday; day++ {
			name := day.String()
			if strings.EqualFold(text, name) || strings.EqualFold(text, name[:3]) || text == fmt.Sprint(int(day)) {
				days, found = append(days, day), true
			}
		}
		if !found {
			return nil, fmt.Errorf("--skip %q: write a weekday such as saturday, or its number from Sunday, 0", text)
		}
	}
	return days, nil
}
