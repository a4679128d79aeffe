package schedulecmd

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/etrainer/backend/pkg/instant"
)

// An answer is what a subcommand found.
type answer struct {
	words string
	zone  *time.Location
	from  time.Time
	runs  []time.Time // empty: it never runs again
}

// jsonAnswer is the answer for programs.
type jsonAnswer struct {
	Next  []string `json:"next"`
	Error string   `json:"error,omitempty"`
}

// show prints an answer or turns its error into one that ends the program.
func show(out io.Writer, asJSON bool, find func() (answer, error)) error {
	found, err := find()
	switch {
	case asJSON:
		if writeErr := found.writeJSON(out, err); writeErr != nil {
			return &ExitError{Code: codeFailed, Err: fmt.Errorf("print the answer: %w", writeErr)}
		}
	case err == nil:
		if writeErr := found.writeText(out); writeErr != nil {
			return &ExitError{Code: codeFailed, Err: fmt.Errorf("print the answer: %w", writeErr)}
		}
	}
	if err != nil {
		return &ExitError{Code: codeFailed, Err: err, Shown: asJSON}
	}
	return nil
}

func (a answer) writeJSON(out io.Writer, err error) error {
	shown := jsonAnswer{Next: []string{}}
	if err != nil {
		shown.Error = err.Error()
	}
	for _, run := range a.runs {
		shown.Next = append(shown.Next, instant.Text(run))
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(shown)
}

// writeText prints the schedule in words, then a line for each run: the instant,
// the clock in the zone, and how far away it is.
func (a answer) writeText(out io.Writer) error {
	if len(a.runs) == 0 {
		_, err := fmt.Fprintf(out, "%s\nnever again\n", a.words)
		return err
	}
	if _, err := fmt.Fprintln(out, a.words); err != nil {
		return err
	}
	for _, run := range a.runs {
		local := run.In(a.zone).Format("Mon 2006-01-02 15:04:05 -07:00")
		if _, err := fmt.Fprintf(out, "%s  %s  %s\n", instant.Text(run), local, distance(run.Sub(a.from))); err != nil {
			return err
		}
	}
	return nil
}

// distance says how far from the present a run is, to the second.
func distance(d time.Duration) string {
	switch {
	case d == 0:
		return "at once"
	case d < 0:
		return inUnits(-d) + " ago"
	default:
		return "in " + inUnits(d)
	}
}

// inUnits shows days apart from the clock units of time.Duration.
func inUnits(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	if d < day {
		return d.String()
	}
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return fmt.Sprintf("%dd%s", d/day, d%day)
}
