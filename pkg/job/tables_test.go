package job_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// tables are what Agenda's own functions answered; see meta in the file.
type tables struct {
	Priority []struct {
		Input any    `json:"input"`
		V6    string `json:"v6"`
		V5    string `json:"v5"`
	} `json:"priority"`
	Backoff []struct {
		Call   string     `json:"call"`
		Delays []*float64 `json:"delays"`
	} `json:"backoff"`
	JobState []struct {
		Title string         `json:"title"`
		Doc   map[string]any `json:"doc"`
		Now   time.Time      `json:"now"`
		State job.State      `json:"state"`
	} `json:"jobState"`
}

func readTables(t *testing.T) tables {
	t.Helper()
	text, err := os.ReadFile("testdata/tables.json")
	if err != nil {
		t.Fatal(err)
	}
	var all tables
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPriorityIsAgendas(t *testing.T) {
	t.Parallel()
	rows := readTables(t).Priority
	if len(rows) < 14 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		input := row.Input
		switch input {
		case "<undefined>":
			input = bson.Undefined{}
		case "<NaN>":
			input = math.NaN()
		}
		got := job.PriorityOf(rawOf(t, input))
		want, err := strconv.ParseFloat(row.V6, 64)
		if err != nil || row.V5 != row.V6 {
			t.Fatalf("row %v cannot be compared: %q, %q", row.Input, row.V6, row.V5)
		}
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("priority of %v is %v, Agenda's is %v", row.Input, got, want)
		}
	}
}

func TestParsePriority(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]float64{
		"lowest": job.PriorityLowest, "low": job.PriorityLow, "normal": job.PriorityNormal, "high": job.PriorityHigh, "highest": job.PriorityHighest,
	} {
		if got, err := job.ParsePriority(name); err != nil || got != want {
			t.Errorf("ParsePriority(%q) is %v, %v; want %v", name, got, err, want)
		}
	}
	_, err := job.ParsePriority("urgent")
	if want := `priority "urgent" is unknown: use a number or one of lowest, low, normal, high, highest`; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

func TestStateIsAgendas(t *testing.T) {
	t.Parallel()
	rows := readTables(t).JobState
	if len(rows) < 11 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		fields := make([]bson.E, 0, len(row.Doc))
		for name, value := range row.Doc {
			if text, ok := value.(string); ok {
				if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
					value = at
				}
			}
			fields = append(fields, bson.E{Key: name, Value: value})
		}
		if got := decode(t, fields...).State(row.Now); got != row.State {
			t.Errorf("%s: the state is %s, Agenda's is %s", row.Title, got, row.State)
		}
	}
}

// number reads one option of a call such as "constant({delay:5000})".
func number(t *testing.T, call, option string, otherwise float64) float64 {
	t.Helper()
	found := regexp.MustCompile(option + `:(\d+)`).FindStringSubmatch(call)
	if found == nil {
		return otherwise
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// policy is the Retry that stands for a strategy of Agenda. Linear growth and
// combinations have none.
func policy(t *testing.T, call string) (retry job.Retry, ok bool) {
	t.Helper()
	retry = job.Retry{
		MaxAttempts: int(number(t, call, "maxRetries", 3)) + 1,
		Delay:       time.Duration(number(t, call, "delay", 1000)) * time.Millisecond,
		MaxDelay:    time.Duration(number(t, call, "maxDelay", 3600_000)) * time.Millisecond,
		Jitter:      -1,
	}
	switch {
	case strings.HasPrefix(call, "constant"):
		retry.Factor = 1
	case strings.HasPrefix(call, "exponential"):
		retry.Factor = number(t, call, "factor", 2)
	case call == "backoffStrategies.aggressive()":
		retry.Delay, retry.Factor = 100*time.Millisecond, 2
	default:
		return retry, false
	}
	return retry, true
}

func TestRetryIsAgendasBackoff(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, row := range readTables(t).Backoff {
		retry, ok := policy(t, row.Call)
		if !ok {
			continue
		}
		compared++
		for i, want := range row.Delays {
			delay, again := retry.Next(i+1, 0.99)
			got := "none"
			if again {
				got = fmt.Sprint(delay.Milliseconds())
			}
			if wanted := "none"; want == nil && got != wanted || want != nil && got != fmt.Sprint(*want) {
				t.Errorf("%s: the delay after failure %d is %s, Agenda's is %v", row.Call, i+1, got, want)
			}
		}
	}
	if compared != 6 {
		t.Errorf("%d strategies were compared, want 6", compared)
	}
}

func TestRetryDefaults(t *testing.T) {
	t.Parallel()
	want := job.Retry{MaxAttempts: 4, Delay: time.Second, Factor: 2, MaxDelay: time.Hour, Jitter: 0.1}
	if got := (job.Retry{}).WithDefaults(); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	if got := (job.Retry{Jitter: 7}).WithDefaults().Jitter; got != 1 {
		t.Errorf("jitter 7 is %v, want 1", got)
	}
	if got := (job.Retry{Jitter: -1}).WithDefaults().Jitter; got != 0 {
		t.Errorf("jitter -1 is %v, want 0", got)
	}
}

func TestRetryJitterStaysInItsBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		retry  job.Retry
		random float64
		want   time.Duration
	}{
		{job.Retry{Delay: time.Second, Jitter: 0.5}, 0, 500 * time.Millisecond},
		{job.Retry{Delay: time.Second, Jitter: 0.5}, 0.5, time.Second},
		{job.Retry{Delay: time.Second, Jitter: 0.5}, 0.75, 1250 * time.Millisecond},
		{job.Retry{Delay: time.Second, Jitter: 1}, 0, 0},
		{job.Retry{Delay: time.Hour, MaxDelay: time.Hour, Jitter: 0.5}, 0.9, time.Hour}, // never beyond the maximum
	} {
		if got, ok := c.retry.Next(1, c.random); !ok || got != c.want {
			t.Errorf("%+v at %v: %s, %t; want %s", c.retry, c.random, got, ok, c.want)
		}
	}
}

func TestRetryGrowsToItsMaximumAndNoFurther(t *testing.T) {
	t.Parallel()
	retry := job.Retry{MaxAttempts: 1 << 30, Delay: time.Second, Factor: 10, MaxDelay: time.Minute, Jitter: -1}
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 10 * time.Second, 3: time.Minute, 10_000: time.Minute} {
		if got, ok := retry.Next(attempt, 0.5); !ok || got != want {
			t.Errorf("after attempt %d: %s, %t; want %s", attempt, got, ok, want)
		}
	}
}
