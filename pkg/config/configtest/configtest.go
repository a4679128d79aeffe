// Package configtest compares a configuration struct with the template of the
// environment. Tests alone import it.
package configtest

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/config"
)

// template is .env.production.example, from the folder of a package two levels
// below a module.
const template = "../../../.env.production.example"

// Template compares the section of a program, and the one of both, with what
// its struct says, and the struct with what a template needs: every variable
// has a meaning and an example, and numbers have a unit.
func Template(t *testing.T, program string, target any) {
	t.Helper()
	for _, e := range config.Describe(target) {
		_, err := strconv.ParseFloat(e.Default, 64)
		if e.Help == "" || e.Example == "" || err == nil && e.Unit == "" {
			t.Errorf("%s: help %q, example %q, unit %q; give it all that apply", e.Name, e.Help, e.Example, e.Unit)
		}
	}
	text, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Template(target)
	got := slices.Concat(section(string(text), "both"), section(string(text), program))
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf(".env.production.example differs from the struct; run: make env-example\n(-struct +template):\n%s", diff)
	}
}

var heading = regexp.MustCompile(`(?m)^# --- (\w+) -+\n`)

// section lists the paragraphs of one section.
func section(text, name string) []string {
	for _, at := range heading.FindAllStringSubmatchIndex(text, -1) {
		if text[at[2]:at[3]] != name {
			continue
		}
		body := text[at[1]:]
		if next := heading.FindStringIndex(body); next != nil {
			body = body[:next[0]]
		}
		var paragraphs []string
		for paragraph := range strings.SplitSeq(strings.Trim(body, "\n"), "\n\n") {
			paragraphs = append(paragraphs, paragraph+"\n")
		}
		return paragraphs
	}
	return nil
}
