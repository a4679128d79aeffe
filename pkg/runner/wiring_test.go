package runner_test

import (
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/runner"
)

// A part that is missing is named when the worker is wired, and not by a nil
// pointer while it runs.
func TestAMissingPartIsNamed(t *testing.T) {
	t.Parallel()
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "Options.Store is nil") {
			t.Errorf("New panics with %q, want the part that is missing", text)
		}
	}()
	runner.New(runner.Options{})
}
