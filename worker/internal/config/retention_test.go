package config_test

import (
	"strings"
	"testing"
	"time"
)

// Jobs are kept a month, or as long as somebody says; a slip of the hand does
// not remove them at once.
func TestJobRetention(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 720 * time.Hour, "0": 0, "0s": 0, "1h": time.Hour, "2160h": 2160 * time.Hour} {
		variables := map[string]string{}
		if text != "" {
			variables["JOB_RETENTION"] = text
		}
		if cfg, err := load(variables); err != nil || cfg.JobRetention != want {
			t.Errorf("%q is %v, %v; want %v", text, cfg.JobRetention, err, want)
		}
	}
	for _, text := range []string{"59m", "-720h", "30", "a month"} {
		if _, err := load(map[string]string{"JOB_RETENTION": text}); err == nil || !strings.Contains(err.Error(), "JOB_RETENTION") {
			t.Errorf("%q: the error is %v; want one that names JOB_RETENTION", text, err)
		}
	}
}
