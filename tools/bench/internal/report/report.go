package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Environment is what every number depends on.
type Environment struct {
	Engine       string    `json:"engine"`       // name, version and topology of the database
	WriteConcern string    `json:"writeConcern"` // of every write, ours and the rivals'
	CPUs         int       `json:"cpus"`
	Go           string    `json:"go"`
	Node         string    `json:"node,omitempty"`
	Load         string    `json:"load,omitempty"` // the machine's load average before the run
	At           time.Time `json:"at"`
}

// Row is one measured value.
type Row struct {
	Section  string  `json:"section"`
	What     string  `json:"what"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Note     string  `json:"note,omitempty"`   // shown behind the value, such as a spread
	Failed   string  `json:"failed,omitempty"` // why there is no value
	Target   *Target `json:"target,omitempty"`
	Verdict  string  `json:"verdict,omitempty"` // met, missed, or "" without a target
	Settings string  `json:"settings"`

	Environment Environment `json:"environment"`
}

// Target is a budget: the value is to be at most, or at least, this.
type Target struct {
	AtMost bool    `json:"atMost"`
	Value  float64 `json:"value"`
}

// AtMost is an upper bound.
func AtMost(value float64) *Target { return &Target{AtMost: true, Value: value} }

// AtLeast is a lower bound.
func AtLeast(value float64) *Target { return &Target{Value: value} }

func (t *Target) met(value float64) bool {
	if t.AtMost {
		return value <= t.Value
	}
	return value >= t.Value
}

func (t *Target) String() string {
	switch {
	case t == nil:
		return ""
	case t.AtMost:
		return "<= " + number(t.Value)
	default:
		return ">= " + number(t.Value)
	}
}

// Report gathers rows. It belongs to one goroutine.
type Report struct {
	environment Environment
	rows        []Row
}

// New returns an empty report.
func New(environment Environment) *Report { return &Report{environment: environment} }

// Add takes rows in, in the order in which they are to be shown.
func (r *Report) Add(rows ...Row) {
	for _, row := range rows {
		row.Environment = r.environment
		if math.IsNaN(row.Value) {
			row.Value = 0 // JSON has no NaN
			if row.Failed == "" {
				row.Failed = "nothing was measured"
			}
		}
		switch {
		case row.Target == nil:
		case row.Failed == "" && row.Target.met(row.Value):
			row.Verdict = "met"
		default:
			row.Verdict = "missed"
		}
		r.rows = append(r.rows, row)
	}
}

// Rows returns what was added.
func (r *Report) Rows() []Row { return r.rows }

// WriteJSON writes an array of rows.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r.rows); err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	return nil
}

// WriteTable writes the table, with the environment above each section.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	section := ""
	for _, row := range r.rows {
		if row.Section != section {
			section = row.Section
			fmt.Fprintf(table, "\n%s  [%s]\n", strings.ToUpper(section), r.environment)
			fmt.Fprintf(table, "  what\tresult\ttarget\t\tsettings\n")
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", row.What, row.result(), row.Target, row.Verdict, row.Settings)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// String is the environment on one line.
func (e Environment) String() string {
	parts := []string{e.Engine, e.WriteConcern, strconv.Itoa(e.CPUs) + " CPUs", e.Go}
	if e.Node != "" {
		parts = append(parts, "node "+e.Node)
	}
	if e.Load != "" {
		parts = append(parts, "load before the run "+e.Load)
	}
	return strings.Join(parts, ", ")
}

func (r Row) result() string {
	if r.Failed != "" {
		return r.Failed
	}
	text := number(r.Value) + " " + r.Unit
	if r.Note != "" {
		text += " (" + r.Note + ")"
	}
	return text
}

// number shows three significant digits, or more where the number is whole.
func number(v float64) string {
	size := math.Abs(v)
	switch {
	case size >= 100 || v == float64(int64(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}
