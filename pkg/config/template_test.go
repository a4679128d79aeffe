package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/config"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	got := config.Template(&struct {
		Secret config.Secret `env:"JWT_SECRET_KEY,required" envAlias:"JWT_SECRET" help:"signs access tokens" example:"what openssl prints"`
		Grace  time.Duration `env:"GRACE" envDefault:"30s" help:"how long what runs may take to end when the process is asked to stop, and no longer" example:"1m"`
		Mode   string        `env:"MODE" envDefault:"development" help:"where this runs" production:"production"`
		Fee    int           `env:"FEE" help:"écu for each" unit:"écus"`
	}{Secret: "hunter2", Mode: "test"})
	want := []string{
		"# Signs access tokens.\n# Old name: JWT_SECRET. Example: what openssl prints\nJWT_SECRET_KEY=\n",
		"# How long what runs may take to end when the process is asked to stop, and no\n# longer.\n# Unit: ms, s, m or h. Example: 1m\n#GRACE=30s\n",
		"# Where this runs.\nMODE=production\n",
		"# Écu for each.\n# Unit: écus\n#FEE=\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paragraphs (-want +got):\n%s", diff)
	}
	if text := strings.Join(got, ""); strings.Contains(text, "hunter2") {
		t.Errorf("the template shows a value: %s", text)
	}
}
