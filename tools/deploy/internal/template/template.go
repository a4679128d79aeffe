// Package template reads .env.production.example: which variables each program
// knows. The programs' own tests compare it with what they read.
package template

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	heading  = regexp.MustCompile(`^# --- (\w+) -`)
	variable = regexp.MustCompile(`^#?([A-Z][A-Z0-9_]*)=`)
)

// Sections are the variables below each heading: api, worker, both and migrate.
func Sections(root string) (map[string]map[string]bool, error) {
	text, err := os.ReadFile(filepath.Join(root, ".env.production.example"))
	sections, section := map[string]map[string]bool{"both": {"NODE_ENV": true}}, ""
	for line := range strings.Lines(string(text)) {
		if m := heading.FindStringSubmatch(line); m != nil {
			section = m[1]
			if sections[section] == nil {
				sections[section] = map[string]bool{}
			}
		}
		if m := variable.FindStringSubmatch(line); m != nil && section != "" {
			sections[section][m[1]] = true
		}
	}
	return sections, err
}
