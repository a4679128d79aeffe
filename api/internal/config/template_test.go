package config_test

import (
	"testing"

	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/pkg/config/configtest"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	configtest.Template(t, "api", &config.Config{})
}
