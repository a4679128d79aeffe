package history_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// Lines of several processes come back in the order in which they were written.
func TestLinesComeBackInOrder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var logs []*history.Log
	for _, process := range []string{"worker-1.1", "worker-2.1"} {
		log, err := history.Open(folder, process, func() int64 { return 7 })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = log.Close() })
		logs = append(logs, log)
	}
	before := history.Now()
	logs[1].Write(history.Line{Event: history.Start, Job: "a", Attempt: 1})
	logs[0].Write(history.Line{Event: history.Start, Job: "b"})
	logs[1].Write(history.Line{Event: history.End, Job: "a", Process: "somebody else"})
	lines, err := history.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := []history.Line{
		{Server: 7, Process: "worker-2.1", Event: history.Start, Job: "a", Attempt: 1},
		{Server: 7, Process: "worker-1.1", Event: history.Start, Job: "b"},
		{Server: 7, Process: "somebody else", Event: history.End, Job: "a"},
	}
	if diff := cmp.Diff(want, lines, cmpopts.IgnoreFields(history.Line{}, "At")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, line := range lines {
		if line.At < before || line.At > history.Now() {
			t.Errorf("the line was written at %d, outside of the test", line.At)
		}
	}
}

// A writer that was killed may leave half a line; one in the middle is damage.
func TestATornLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{"at":1,"process":"p","event":"end"}` + "\n" + `{"at":2,"pro`: 1,
		"": 0,
		`{"at":1,` + "\n" + `{"at":2,"process":"p","event":"end"}` + "\n": -1,
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "p.history"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		lines, err := history.Read(folder)
		switch {
		case want < 0 && (err == nil || !strings.Contains(err.Error(), "line 1")):
			t.Errorf("%q: %v, want a complaint about line 1", text, err)
		case want >= 0 && (err != nil || len(lines) != want):
			t.Errorf("%q: %d lines, %v; want %d", text, len(lines), err, want)
		}
	}
}
