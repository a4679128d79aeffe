package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/etrainer/backend/tools/mutate/internal/list"
	"github.com/etrainer/backend/tools/mutate/internal/mutation"
)

// TestEveryMutationApplies fails as soon as a change of the code makes a
// mutation useless, long before anybody runs the mutations.
func TestEveryMutationApplies(t *testing.T) {
	t.Parallel()
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range list.All() {
		if names[m.Name] || m.Name == "" {
			t.Errorf("the name %q is not that of one mutation", m.Name)
		}
		names[m.Name] = true
		if !strings.HasSuffix(m.Removes, ".") || len(m.Tests) == 0 {
			t.Errorf("mutation %s must say in a sentence what it removes, and name a test", m.Name)
		}
		if _, err := mutation.Metamutant(root, m.In, []mutation.Mutation{m}); err != nil {
			t.Error(err)
		}
	}
}

// TestTheDocsNameEveryMutation keeps the table of promises in docs/queue.md true.
func TestTheDocsNameEveryMutation(t *testing.T) {
	t.Parallel()
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "queue.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| mutations | tests in |\n")
	if !found {
		t.Fatal("docs/queue.md has no table of mutations")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	named := map[string]bool{}
	for row := range strings.Lines(table) {
		if cells := strings.Split(row, "|"); len(cells) > 3 {
			for _, beginning := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(cells[3], -1) {
				chosen, err := choose(beginning[1:])
				if err != nil {
					t.Errorf("docs/queue.md: %v", err)
				}
				for _, m := range chosen {
					named[m.Name] = true
				}
			}
		}
	}
	for _, m := range list.All() {
		if !named[m.Name] {
			t.Errorf("docs/queue.md tells no promise for the mutation %s", m.Name)
		}
	}
}
