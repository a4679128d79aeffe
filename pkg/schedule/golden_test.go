package schedule_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/etrainer/backend/pkg/schedule"
)

// tableNow is the moment at which most golden rows were made.
var tableNow = time.Date(2024, 1, 17, 10, 20, 30, 456e6, time.UTC)

func readGolden(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := schedule.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// listed finds a deliberate difference.
func listed(field, input string) (schedule.Difference, bool) {
	i := slices.IndexFunc(schedule.Differences, func(d schedule.Difference) bool {
		return d.Field == field && d.Input == input
	})
	if i < 0 {
		return schedule.Difference{}, false
	}
	return schedule.Differences[i], true
}

// checkRow compares one answer with Agenda's; want is zero where Agenda has no
// instant. A deviation must be listed: as refused, or with the value in instead.
func checkRow(t *testing.T, field, input string, got time.Time, err error, want, instead time.Time) {
	t.Helper()
	if err == nil && got.Equal(want) || err != nil && want.IsZero() {
		return
	}
	d, ok := listed(field, input)
	if !ok {
		t.Fatalf("%s %q: got %v, %v; Agenda 6.2.6 has %v, and differences.go does not list it", field, input, got, err, want)
	}
	if d.Here == schedule.Refused {
		if _, ok := errors.AsType[*schedule.SyntaxError](err); !ok {
			t.Fatalf("%s %q: got %v, %v; listed as refused", field, input, got, err)
		}
		return
	}
	if err != nil || instead.IsZero() || !got.Equal(instead) {
		t.Fatalf("%s %q: got %v, %v; want %v (listed: %s)", field, input, got, err, instead, d.Here)
	}
}

// A nextRunRow is a row of next-run.json.
type nextRunRow struct {
	ID        string    `json:"id"`
	ProcessTZ string    `json:"processTZ"`
	Now       time.Time `json:"now"`
	Input     struct {
		RepeatInterval any       `json:"repeatInterval"`
		RepeatAt       string    `json:"repeatAt"`
		RepeatTimezone string    `json:"repeatTimezone"`
		LastRunAt      time.Time `json:"lastRunAt"`
		NextRunAt      time.Time `json:"nextRunAt"`
		StartDate      time.Time `json:"startDate"`
		EndDate        time.Time `json:"endDate"`
		SkipDays       any       `json:"skipDays"`
	} `json:"input"`
	Results map[string]struct {
		NextRunAt *time.Time `json:"nextRunAt"`
	} `json:"results"`
}

func (r nextRunRow) spec() schedule.Spec {
	in := r.Input
	spec := schedule.Spec{RepeatAt: in.RepeatAt, Timezone: in.RepeatTimezone, Start: in.StartDate, End: in.EndDate}
	switch interval := in.RepeatInterval.(type) {
	case string:
		spec.Interval = interval
	case float64:
		spec.Interval = strconv.FormatFloat(interval, 'f', -1, 64)
	}
	if days, ok := in.SkipDays.([]any); ok { // the text of Agenda 4 and 5 has no weekdays
		for _, day := range days {
			spec.SkipDays = append(spec.SkipDays, time.Weekday(int(day.(float64))))
		}
	}
	return spec
}

// listedAs returns the field and the text under which a deviation is listed.
func (r nextRunRow) listedAs() (field, input string) {
	if text, ok := r.Input.SkipDays.(string); ok {
		return "skipDays", text
	}
	if r.ID == "nr-146" { // the second showing of an hour
		return "repeatTimezone", r.Input.RepeatTimezone
	}
	if r.Input.RepeatAt != "" {
		return "repeatAt", r.Input.RepeatAt
	}
	return "repeatInterval", r.spec().Interval
}

// rightNextRuns are the answers of rows for which a listed difference gives a
// value instead of a refusal.
var rightNextRuns = map[string]string{
	"nr-119": "2024-01-18T06:30:00.456Z", // 15:30 in Tokyo
	"nr-137": "2024-01-22T09:00:00.000Z", // tomorrow is a skipped Saturday
	"nr-146": "2024-11-04T06:30:00.000Z", // not a second time in the night that has two
	"nr-148": "2024-01-18T09:00:00.456Z",
	"nr-149": "2024-01-18T09:00:00.457Z",
	"nr-151": "2024-01-18T09:00:00.000Z",
	"nr-166": "2024-01-18T09:00:00.000Z",
}

func TestGoldenNextRun(t *testing.T) {
	t.Parallel()
	var rows []nextRunRow
	readGolden(t, "next-run.json", &rows)
	compared := 0
	for _, row := range rows {
		result, ok := row.Results["agenda@6.2.6"]
		if !ok {
			continue // about Agenda 4 and 5
		}
		compared++
		t.Run(row.ID, func(t *testing.T) {
			t.Parallel()
			var got, want, instead time.Time
			if result.NextRunAt != nil {
				want = *result.NextRunAt
			}
			if text, ok := rightNextRuns[row.ID]; ok {
				instead, _ = time.Parse(time.RFC3339Nano, text)
			}
			s, err := schedule.Parse(row.spec(), mustZone(t, row.ProcessTZ))
			if err == nil {
				got, _ = s.NextRun(row.Input.LastRunAt, row.Input.NextRunAt, row.Now)
			}
			field, input := row.listedAs()
			checkRow(t, field, input, got, err, want, instead)
		})
	}
	if compared < 100 {
		t.Errorf("only %d rows have a 6.2.6 column", compared)
	}
}

// tables.json, as far as it is about texts.
type goldenTables struct {
	HumanInterval []struct {
		Input any `json:"input"`
		MS    any `json:"ms"`
	} `json:"humanInterval"`
	ProcessEvery []struct {
		Input any     `json:"input"`
		V6MS  float64 `json:"v6ms"`
	} `json:"processEvery"`
	When []struct {
		ProcessTZ string    `json:"processTZ"`
		Now       time.Time `json:"now"`
		Rows      []struct {
			Input    string `json:"input"`
			Schedule string `json:"schedule"`
		} `json:"rows"`
	} `json:"when"`
}

// text is a table input as a setting or a document would carry it.
func text(input any) (string, bool) {
	switch input := input.(type) {
	case string:
		return input, input != "<undefined>"
	case float64:
		return strconv.FormatFloat(input, 'f', -1, 64), true
	default:
		return "", false
	}
}

func TestGoldenIntervals(t *testing.T) {
	t.Parallel()
	var tables goldenTables
	readGolden(t, "tables.json", &tables)
	check := func(field, input string, ms float64) {
		t.Run(field+" "+input, func(t *testing.T) {
			t.Parallel()
			d, err := schedule.ParseInterval(input)
			var got, want, instead time.Time
			if err == nil {
				got = tableNow.Add(d)
			}
			if ms > 0 {
				want = tableNow.Add(time.Duration(ms) * time.Millisecond)
			}
			if n, err := strconv.Atoi(input); err == nil {
				instead = tableNow.Add(time.Duration(n) * time.Millisecond)
			}
			checkRow(t, field, input, got, err, want, instead)
		})
	}
	for _, row := range tables.HumanInterval {
		input, ok := text(row.Input)
		if _, number := listed("processEvery", input); !ok || number {
			continue // null, and digits: the next table has them
		}
		ms, _ := row.MS.(float64) // "NaN" is no interval
		check("repeatInterval", input, ms)
	}
	for _, row := range tables.ProcessEvery {
		if input, ok := text(row.Input); ok {
			check("processEvery", input, row.V6MS)
		}
	}
	check("processEvery", "5000", 5000)
	check("processEvery", "60", 5000)
}

func TestGoldenWhen(t *testing.T) {
	t.Parallel()
	var tables goldenTables
	readGolden(t, "tables.json", &tables)
	for _, table := range tables.When {
		zone := mustZone(t, table.ProcessTZ)
		for _, row := range table.Rows {
			t.Run(row.Input, func(t *testing.T) {
				t.Parallel()
				want, _ := time.Parse(time.RFC3339Nano, row.Schedule) // zero where Agenda throws
				got, err := schedule.ParseWhen(row.Input, table.Now, zone)
				checkRow(t, "when", row.Input, got, err, want, time.Time{})
			})
		}
	}
}
