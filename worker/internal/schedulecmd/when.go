package schedulecmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/pkg/schedule"
)

func whenCommand(now func() time.Time) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "when TEXT",
		Short: "Print the instant that a time phrase means",
		Long: "Print the instant that a time phrase means: \"in 5 minutes\", \"tomorrow at 9am\",\n" +
			"an ISO instant or epoch milliseconds. What cannot be read is refused.",
		Example:       "  worker schedule when \"next monday at 9am\" --timezone Asia/Ho_Chi_Minh",
		Args:          cobra.MinimumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ") // quotes may be left out
			return show(cmd.OutOrStdout(), f.json, func() (answer, error) { return f.when(text, now) })
		},
	}
	f.add(cmd)
	return cmd
}

// when computes the answer of "schedule when".
func (f *flags) when(text string, now func() time.Time) (answer, error) {
	from, zone, err := f.setting(now)
	if err != nil {
		return answer{}, err
	}
	at, err := schedule.ParseWhen(text, from, zone)
	if err != nil {
		return answer{}, err
	}
	return answer{words: fmt.Sprintf("%q", text), zone: zone, from: from, runs: []time.Time{at}}, nil
}
