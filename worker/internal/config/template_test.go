package config_test

import (
	"testing"

	"github.com/etrainer/backend/pkg/config/configtest"
	"github.com/etrainer/backend/worker/internal/config"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	configtest.Template(t, "worker", &config.Config{})
}
