package report_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/tools/bench/internal/report"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make(report.Sample, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i) // not in order
	}
	for _, test := range []struct {
		sample  report.Sample
		p, want float64
	}{
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
		{hundred, 0, 1},
		{report.Sample{7}, 99, 7},
		{report.Sample{3, 1}, 50, 1},
		{report.Sample{3, 1, 2}, 50, 2},
	} {
		if got := test.sample.Percentile(test.p); got != test.want {
			t.Errorf("p%v of %d measurements is %v, want %v", test.p, len(test.sample), got, test.want)
		}
	}
	if got := (report.Sample{}).Median(); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v, want NaN", got)
	}
	if hundred[0] != 100 {
		t.Error("Percentile has sorted the caller's sample")
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	r := report.New(report.Environment{Engine: "an engine"})
	r.Add(
		report.Row{What: "below a bound", Value: 9, Target: report.AtMost(10)},
		report.Row{What: "on a bound", Value: 10, Target: report.AtMost(10)},
		report.Row{What: "above a bound", Value: 10.1, Target: report.AtMost(10)},
		report.Row{What: "enough", Value: 10, Target: report.AtLeast(10)},
		report.Row{What: "too little", Value: 9.9, Target: report.AtLeast(10)},
		report.Row{What: "no target", Value: 1e9},
		report.Row{What: "no value", Failed: "it broke", Target: report.AtMost(10)},
	)
	var got []string
	for _, row := range r.Rows() {
		got = append(got, row.Verdict)
		if row.Environment.Engine != "an engine" {
			t.Errorf("%s: the row does not carry the environment", row.What)
		}
	}
	want := []string{"met", "met", "missed", "met", "missed", "", "missed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := report.New(report.Environment{Engine: "an engine", WriteConcern: "w:majority", CPUs: 2, Go: "go1"})
	r.Add(
		report.Row{Section: "speed", What: "ours", Value: 1234.5, Unit: "jobs/s", Note: "of 3 runs", Target: report.AtLeast(10), Settings: "slots 50"},
		report.Row{Section: "speed", What: "theirs", Failed: "not finished", Settings: "slots 50"},
		report.Row{Section: "cost", What: "added", Value: -15.16, Unit: "ms", Settings: "slots 50"},
		report.Row{Section: "cost", What: "commands", Value: 0.0271, Unit: "per job", Target: report.AtMost(0.1), Settings: "slots 50"},
	)
	var out strings.Builder
	if err := r.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	want := `
SPEED  [an engine, w:majority, 2 CPUs, go1]
  what    result                   target       settings
  ours    1234 jobs/s (of 3 runs)  >= 10   met  slots 50
  theirs  not finished                          slots 50

COST  [an engine, w:majority, 2 CPUs, go1]
  what      result         target         settings
  added     -15.2 ms                      slots 50
  commands  0.027 per job  <= 0.100  met  slots 50
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r := report.New(report.Environment{Engine: "an engine", CPUs: 2})
	r.Add(report.Row{Section: "speed", What: "ours", Value: 12, Unit: "jobs/s", Target: report.AtLeast(10)})
	var out strings.Builder
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var rows []report.Row
	if err := json.Unmarshal([]byte(out.String()), &rows); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Rows(), rows); diff != "" {
		t.Errorf("the rows do not come back:\n%s", diff)
	}
}

// A report with a section that measured nothing is still JSON.
func TestJSONOfWhatCouldNotBeMeasured(t *testing.T) {
	t.Parallel()
	r := report.New(report.Environment{})
	r.Add(report.Row{What: "nothing", Value: (report.Sample{}).Median()})
	var out strings.Builder
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if r.Rows()[0].Failed == "" {
		t.Error("the row does not say that it has no value")
	}
}
