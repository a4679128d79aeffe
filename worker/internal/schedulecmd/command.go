package schedulecmd

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/pkg/schedule"
)

// MaxCount is the most runs that "schedule next" prints.
const MaxCount = 1000

// codeFailed is the exit code for every text that cannot be read.
const codeFailed = 1

// ExitError tells the program how to end.
type ExitError struct {
	// Code is the exit code, never 0.
	Code int
	// Err is what went wrong.
	Err error
	// Shown reports that the output says so already; the text is then empty.
	Shown bool
}

// Error returns the message to print, empty when it has been shown.
func (e *ExitError) Error() string {
	if e.Shown {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns what went wrong.
func (e *ExitError) Unwrap() error { return e.Err }

// New returns the command "schedule" with its two subcommands. Its only clock is
// that of --from, which defaults to the present.
func New() *cobra.Command {
	return newCommand(time.Now)
}

func newCommand(now func() time.Time) *cobra.Command {
	group := &cobra.Command{
		Use:           "schedule",
		Short:         "Print when a schedule runs",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	group.AddCommand(takesMinus(nextCommand(now)), takesMinus(whenCommand(now)))
	return group
}

// flags are those that both subcommands have.
type flags struct {
	timezone string
	from     string
	json     bool
}

func (f *flags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.timezone, "timezone", "UTC", "zone whose clocks count: an IANA name or UTC+7")
	cmd.Flags().StringVar(&f.from, "from", "", "the present: an instant, or a phrase such as \"tomorrow\" (default now)")
	cmd.Flags().BoolVar(&f.json, "json", false, `print {"next":["…"]} or {"next":[],"error":"…"}`)
}

// setting reads the flags: the zone, and the instant that stands for now.
func (f *flags) setting(now func() time.Time) (time.Time, *time.Location, error) {
	zone, err := schedule.ParseZone(f.timezone)
	if err != nil {
		return time.Time{}, nil, inFlag("--timezone", err)
	}
	from := now().In(zone)
	if f.from != "" {
		if from, err = schedule.ParseWhen(f.from, from, zone); err != nil {
			return time.Time{}, nil, inFlag("--from", err)
		}
	}
	return from, zone, nil
}

// inFlag names the flag in place of the field of a job document.
func inFlag(flag string, err error) error {
	if syntax, ok := errors.AsType[*schedule.SyntaxError](err); ok {
		named := *syntax
		named.Field = flag
		return &named
	}
	return fmt.Errorf("%s: %w", flag, err)
}
