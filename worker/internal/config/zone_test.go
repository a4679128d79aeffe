package config_test

import (
	"strings"
	"testing"

	"github.com/etrainer/backend/worker/internal/config"
)

// TestZone: the worker reads a time zone as the api and migrate do.
func TestZone(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"Asia/Ho_Chi_Minh": true, "asia/ho_chi_minh": true, "UTC": true, "UTC+7": true,
		"": false, "Local": false, "Mars/Base": false, "UTC+25": false,
	} {
		cfg := config.Config{Timezone: name}
		refused := strings.Contains(cfg.Validate().Error(), "JOBS_TIMEZONE")
		if refused == good {
			t.Errorf("%q is refused: %t", name, refused)
		}
		if zone := cfg.Zone(); good && !strings.EqualFold(zone.String(), name) {
			t.Errorf("%q becomes %s", name, zone)
		}
	}
}
