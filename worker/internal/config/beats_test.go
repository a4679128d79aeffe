package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/runner"
)

// The heartbeat has the figures of the runner unless somebody says otherwise,
// and a set of figures that cannot work is refused by the one that is wrong.
func TestBeats(t *testing.T) {
	t.Parallel()
	cfg, err := load(map[string]string{})
	want := runner.Beats{Interval: runner.DefaultBeatInterval, Expiry: runner.DefaultBeatExpiry, Confirm: runner.DefaultBeatConfirm}
	if err != nil || cfg.Beats.Runner() != want {
		t.Errorf("the defaults are %+v, %v; want %+v", cfg.Beats, err, want)
	}
	cfg, err = load(map[string]string{"WORKER_BEAT_INTERVAL": "5s", "WORKER_BEAT_EXPIRY": "15s", "WORKER_BEAT_CONFIRM": "11s"})
	if want := (runner.Beats{Interval: 5 * time.Second, Expiry: 15 * time.Second, Confirm: 11 * time.Second}); err != nil || cfg.Beats.Runner() != want {
		t.Errorf("the figures are %+v, %v; want %+v", cfg.Beats, err, want)
	}
	for variable, value := range map[string]string{
		"WORKER_BEAT_INTERVAL": "31s",
		"WORKER_BEAT_EXPIRY":   "3s", // less than two intervals
		"WORKER_BEAT_CONFIRM":  "4s", // a heartbeat may still be on its way
	} {
		_, err := load(map[string]string{variable: value})
		if err == nil || !strings.Contains(err.Error(), variable) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: the error is %v; want one that names both", variable, value, err)
		}
	}
}
