package config_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	base "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/worker/internal/config"
)

// TestTemplate compares .env.production.example with what this program reads:
// its own section and the shared one name every variable, and no other.
func TestTemplate(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../.env.production.example")
	if err != nil {
		t.Fatal(err)
	}
	var cfg config.Config
	var want []string
	for _, entry := range base.Describe(&cfg) {
		want = append(want, entry.Name)
	}
	slices.Sort(want)
	got := append([]string{"NODE_ENV"}, namesIn(string(text), "worker")...)
	got = append(got, namesIn(string(text), "both")...)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the template differs from the configuration (-read +template):\n%s", diff)
	}
}

var (
	heading  = regexp.MustCompile(`^# --- (\w+) -`)
	variable = regexp.MustCompile(`^#?([A-Z][A-Z0-9_]*)=`)
)

// namesIn lists the variables of one section.
func namesIn(template, section string) []string {
	var names []string
	current := ""
	for line := range strings.Lines(template) {
		if m := heading.FindStringSubmatch(line); m != nil {
			current = m[1]
		}
		if m := variable.FindStringSubmatch(line); m != nil && current == section {
			names = append(names, m[1])
		}
	}
	return names
}
