package main

import (
	"strings"
	"testing"

	"github.com/etrainer/backend/tools/mutate/internal/list"
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
		if _, err := m.Apply(root); err != nil {
			t.Error(err)
		}
	}
}
