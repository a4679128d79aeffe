package config_test

import (
	"strings"
	"testing"
	"time"
)

// The old name of the interval holds what Agenda understands.
func TestPollInterval(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       time.Duration
	}{
		{"WORKER_POLL_INTERVAL", "2s", 2 * time.Second},
		{"AGENDA_PROCESS_EVERY", "10 seconds", 10 * time.Second},
		{"AGENDA_PROCESS_EVERY", "one minute", time.Minute},
		{"AGENDA_PROCESS_EVERY", "5000", 5 * time.Second},
	} {
		if cfg, err := load(map[string]string{test.name: test.text}); err != nil || time.Duration(cfg.PollInterval) != test.want {
			t.Errorf("%s=%s is %v, %v; want %v", test.name, test.text, time.Duration(cfg.PollInterval), err, test.want)
		}
	}
	for _, text := range []string{"soon", "5x", "50ms", "-1s"} {
		if _, err := load(map[string]string{"AGENDA_PROCESS_EVERY": text}); err == nil || !strings.Contains(err.Error(), "WORKER_POLL_INTERVAL") {
			t.Errorf("%q: the error is %v; want one that names WORKER_POLL_INTERVAL", text, err)
		}
	}
}
