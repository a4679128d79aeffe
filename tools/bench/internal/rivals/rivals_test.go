package rivals_test

import (
	"errors"
	"testing"
	"time"

	"github.com/etrainer/backend/tools/bench/internal/rivals"
)

func TestPackagesMissing(t *testing.T) {
	t.Parallel()
	node := rivals.Node{Dir: t.TempDir()}
	if _, err := node.Available(t.Context()); !errors.Is(err, rivals.ErrNotInstalled) {
		t.Errorf("the error is %v, want ErrNotInstalled", err)
	}
	if _, err := node.Run(t.Context(), rivals.Agenda6, "mongodb://127.0.0.1/x", "a", 1, rivals.Settings{Limit: time.Second}); !errors.Is(err, rivals.ErrNotInstalled) {
		t.Errorf("the error of a run is %v, want ErrNotInstalled", err)
	}
}

func TestTotal(t *testing.T) {
	t.Parallel()
	if got := (rivals.Result{Commands: map[string]int{"update": 600, "findAndModify": 398}}).Total(); got != 998 {
		t.Errorf("the total is %d, want 998", got)
	}
}
