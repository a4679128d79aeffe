package config_test

import (
	"strings"
	"testing"

	"github.com/etrainer/backend/worker/internal/config"
)

// Whoever corrects one setting learns of all others at once.
func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	err := config.Config{Timezone: "UTC", LogLevel: "loud", Port: 99999}.Validate()
	for _, want := range []string{
		`LOG_LEVEL is "loud", which is unknown`, `WORKER_PORT is "99999", which is not a port`, `WORKER_CONCURRENCY is "0", which is too small`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s in it", err, want)
		}
	}
}
