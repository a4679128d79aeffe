package config_test

import (
	"strings"
	"testing"

	base "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/worker/internal/config"
)

// load reads the configuration from variables alone.
func load(variables map[string]string) (config.Config, error) {
	var cfg config.Config
	variables["MONGODB_URI"] = "mongodb://127.0.0.1/etrainer"
	err := base.Load(&cfg, base.Options{Environment: variables})
	return cfg, err
}

// Nothing is sent to anybody's phone unless production, or somebody, says so.
func TestPushDriver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		variables map[string]string
		sends     bool
		err       string
	}{
		"nothing said":              {map[string]string{}, false, ""},
		"production":                {map[string]string{"NODE_ENV": "production"}, true, ""},
		"production that logs":      {map[string]string{"NODE_ENV": "production", "PUSH_DRIVER": "log"}, false, ""},
		"live elsewhere":            {map[string]string{"PUSH_DRIVER": "live"}, true, ""},
		"a driver that is none":     {map[string]string{"PUSH_DRIVER": "pigeon"}, false, "PUSH_DRIVER"},
		"a wrong account":           {map[string]string{"PUSH_DRIVER": "live", "FIREBASE_PRIVATE_KEY": "hello"}, true, "FIREBASE_PROJECT_ID"},
		"a wrong address":           {map[string]string{"PUSH_DRIVER": "live", "EXPO_BASE_URL": "exp.host"}, true, "EXPO_BASE_URL"},
		"a wrong account, not used": {map[string]string{"PUSH_DRIVER": "log", "FIREBASE_PRIVATE_KEY": "hello"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := load(c.variables)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("the error is %v; want one with %q", err, c.err)
			}
			if cfg.SendsPush() != c.sends {
				t.Errorf("push messages are sent: %t, want %t", cfg.SendsPush(), c.sends)
			}
		})
	}
}
