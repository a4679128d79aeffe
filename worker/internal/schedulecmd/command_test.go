package schedulecmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/worker/internal/schedulecmd"
)

// run executes "schedule …" and returns both outputs.
func run(args ...string) (stdout, stderr string, err error) {
	cmd := schedulecmd.New()
	var out, errOut bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(args)
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

func TestText(t *testing.T) {
	t.Parallel()
	const from = "--from=2024-01-17T10:20:30.456Z"
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{
			"cron in a zone",
			[]string{"next", "0 9 * * mon-fri", "--timezone", "Asia/Ho_Chi_Minh", "--count", "3", from},
			"every Monday to Friday at 09:00 in Asia/Ho_Chi_Minh\n" +
				"2024-01-18T02:00:00.000Z  Thu 2024-01-18 09:00:00 +07:00  in 15h39m30s\n" +
				"2024-01-19T02:00:00.000Z  Fri 2024-01-19 09:00:00 +07:00  in 1d15h39m30s\n" +
				"2024-01-22T02:00:00.000Z  Mon 2024-01-22 09:00:00 +07:00  in 4d15h39m30s\n",
		},
		{
			"a distance runs at once, then after it",
			[]string{"next", "5 minutes", "--count=2", from},
			"every 5 minutes\n" +
				"2024-01-17T10:20:30.456Z  Wed 2024-01-17 10:20:30 +00:00  at once\n" +
				"2024-01-17T10:25:30.456Z  Wed 2024-01-17 10:25:30 +00:00  in 5m0s\n",
		},
		{
			"a distance from the last run",
			[]string{"next", "5 minutes", "--last", "2024-01-17 10:00", from},
			"every 5 minutes\n2024-01-17T10:05:00.000Z  Wed 2024-01-17 10:05:00 +00:00  15m30s ago\n",
		},
		{
			"bounds",
			[]string{"next", "0 9 * * *", "--start", "2024-01-20 12:00", "--end", "2024-01-22T09:00:00Z", "--skip", "sat,0", "--count", "9", from},
			"every day at 09:00 in UTC, not before 2024-01-20T12:00:00.000Z, not after 2024-01-22T09:00:00.000Z, moved to the next day from Sunday and Saturday\nnever again\n",
		},
		{
			"a phrase, unquoted",
			[]string{"when", "tomorrow", "at", "9am", from},
			"\"tomorrow at 9am\"\n2024-01-18T09:00:00.456Z  Thu 2024-01-18 09:00:00 +00:00  in 22h39m30s\n",
		},
		{
			"a present in words",
			[]string{"when", "2024-02-01T00:00:00Z", "--from", "2024-01-31 23:59", "--timezone", "UTC+0"},
			"\"2024-02-01T00:00:00Z\"\n2024-02-01T00:00:00.000Z  Thu 2024-02-01 00:00:00 +00:00  in 1m0s\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, err := run(tt.args...)
			if err != nil || stderr != "" {
				t.Fatalf("%v, stderr %q", err, stderr)
			}
			if diff := cmp.Diff(tt.want, stdout); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
		fail bool
	}{
		{
			"runs",
			[]string{"next", "*/5 * * * *", "--from", "2024-01-17T10:20:30.456Z", "--json"},
			`{"next":["2024-01-17T10:25:00.000Z"]}`, false,
		},
		{"instant", []string{"when", "1706778000000", "--json"}, `{"next":["2024-02-01T09:00:00.000Z"]}`, false},
		{"never again", []string{"next", "0 9 * * *", "--from", "2024-01-17", "--end", "2024-01-16", "--json"}, `{"next":[]}`, false},
		{
			"refused expression",
			[]string{"next", "0 24 * * *", "--json"},
			`{"next":[],"error":"repeatInterval \"0 24 * * *\": the hour field \"24\" has the value 24; 0 to 23 are read"}`, true,
		},
		{
			"refused phrase",
			[]string{"when", "asap", "--json"},
			`{"next":[],"error":"when \"asap\": is not a time that can be checked; write \"now\""}`, true,
		},
		{
			"refused zone",
			[]string{"next", "1 hour", "--timezone", "Mars/Phobos", "--json"},
			`{"next":[],"error":"--timezone \"Mars/Phobos\": is not a known time zone; write an IANA name such as \"Asia/Ho_Chi_Minh\" or an offset such as \"UTC+7\""}`, true,
		},
		{
			"minus sign in a cron field",
			[]string{"next", "-5 * * * *", "--json"},
			`{"next":[],"error":"repeatInterval \"-5 * * * *\": the minute field \"-5\" has a minus sign without a value in front; write a value such as \"5\", or a range such as \"0-5\""}`, true,
		},
		{
			"minus sign of a distance, behind the flags",
			[]string{"next", "--json", "--count", "2", "-2 minutes"},
			`{"next":[],"error":"repeatInterval \"-2 minutes\": is less than a millisecond, so the job would run in an endless loop; write the distance between two runs, at least 1"}`, true,
		},
		{
			"minus sign of a phrase, in words",
			[]string{"when", "-5", "minutes", "--json"},
			`{"next":[],"error":"when \"-5 minutes\": has \"-5\", which is not understood there; write a time such as \"in 5 minutes\", \"tomorrow at 9am\" or \"2024-02-01T09:00:00Z\""}`, true,
		},
		{
			"minus sign of a flag's value",
			[]string{"next", "1 hour", "--count", "-5", "--json"},
			`{"next":[],"error":"--count -5: write a number from 1 to 1000"}`, true,
		},
		{"minus sign behind two dashes", []string{"next", "--json", "--", "-.5"}, `{"next":[],"error":"repeatInterval \"-.5\": is less than a millisecond, so the job would run in an endless loop; write the distance between two runs, at least 1"}`, true},
		{
			"too many",
			[]string{"next", "1 hour", "--count", "1001", "--json"},
			`{"next":[],"error":"--count 1001: write a number from 1 to 1000"}`, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, err := run(tt.args...)
			if stdout != tt.want+"\n" || stderr != "" {
				t.Errorf("got %s\nwant %s\nstderr %q", stdout, tt.want, stderr)
			}
			exit, failed := errors.AsType[*schedulecmd.ExitError](err)
			if tt.fail != failed || tt.fail && (exit.Code != 1 || err.Error() != "" || exit.Unwrap() == nil) {
				t.Errorf("got %#v, want failure %v, already shown", err, tt.fail)
			}
		})
	}
}

func TestErrorsInText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"next", "every 5 minutes"}, "repeatInterval"},
		{[]string{"next", "1 hour", "--count", "0"}, "--count 0"},
		{[]string{"next", "1 hour", "--last", "foo"}, "--last"},
		{[]string{"next", "1 hour", "--start", "foo"}, "--start"},
		{[]string{"next", "1 hour", "--end", "foo"}, "--end"},
		{[]string{"next", "1 hour", "--from", "foo"}, "--from"},
		{[]string{"next", "1 hour", "--skip", "someday"}, "--skip"},
		{[]string{"next", "--", "-2 minutes"}, "endless loop"},
		{[]string{"next"}, "accepts 1 arg"},
		{[]string{"when"}, "at least 1 arg"},
		{[]string{"when", "now", "--nope"}, "unknown flag"},
		{[]string{"what"}, "unknown command"},
	} {
		stdout, stderr, err := run(tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: got %v, want one that says %q", tt.args, err, tt.says)
		}
		if stdout != "" || stderr != "" {
			t.Errorf("%q prints %q and %q; the program prints the error", tt.args, stdout, stderr)
		}
	}
}

func TestFromDefaultsToNow(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Millisecond)
	stdout, _, err := run("when", "now", "--json")
	after := time.Now()
	var got struct {
		Next []time.Time `json:"next"`
	}
	if err != nil || json.Unmarshal([]byte(stdout), &got) != nil || len(got.Next) != 1 {
		t.Fatalf("got %s, %v", stdout, err)
	}
	if at := got.Next[0]; at.Before(before) || at.After(after) {
		t.Errorf("got %s, not between %s and %s", at, before, after)
	}
}

func TestMostRuns(t *testing.T) {
	t.Parallel()
	stdout, _, err := run("next", "* * * * * *", "--timezone", "America/New_York", "--from", "2024-03-10T06:59:00Z", "--count", strconv.Itoa(schedulecmd.MaxCount))
	if lines := strings.Count(stdout, "\n"); err != nil || lines != schedulecmd.MaxCount+1 {
		t.Errorf("%d lines, %v", lines, err)
	}
}

// failingWriter is a closed pipe.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestOutputErrorsAreReported(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"when", "now"}, {"when", "now", "--json"}, {"next", "0 9 * * *", "--end", "1 day ago"}} {
		cmd := schedulecmd.New()
		cmd.SetOut(failingWriter{})
		cmd.SetArgs(args)
		if err := cmd.Execute(); !errors.Is(err, os.ErrClosed) || err.Error() == "" {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

// The rows of testdata/next-run.json are whole commands: what Agenda 6.2.6
// computes for a repeatInterval; nr-146 is one of schedule.Differences.
func TestGoldenRows(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/next-run.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		ID       string   `json:"id"`
		Now      string   `json:"now"`
		Expr     string   `json:"expr"`
		Last     string   `json:"last"`
		Timezone string   `json:"timezone"`
		Next     []string `json:"next"`
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		t.Run(row.ID, func(t *testing.T) {
			t.Parallel()
			args := []string{"next", "--json", "--from", row.Now, "--timezone", row.Timezone}
			if row.Last != "" {
				args = append(args, "--last", row.Last)
			}
			stdout, _, err := run(append(args, "--", row.Expr)...)
			var got struct {
				Next []string `json:"next"`
			}
			if jsonErr := json.Unmarshal([]byte(stdout), &got); jsonErr != nil {
				t.Fatal(jsonErr)
			}
			if (err == nil) != (len(row.Next) > 0) || fmt.Sprint(got.Next) != fmt.Sprint(row.Next) {
				t.Errorf("%q: got %s, %v; want %v", args, stdout, err, row.Next)
			}
		})
	}
}
