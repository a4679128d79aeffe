// Package list holds the mutations, a file for each part of the queue. Each
// removes one mechanism behind a promise of docs/queue.md, and names the tests
// that must fail without it. Who adds a mechanism adds its mutation here.
package list

import (
	"slices"

	"github.com/etrainer/backend/tools/mutate/internal/mutation"
)

// All returns every mutation.
func All() []mutation.Mutation {
	return slices.Concat(fences, claims, renewals, rescues, attempts, plans, ids, durability, fairness, places, outcomes, signs, clocks)
}

// Where the code is.
const (
	store    = "pkg/queue/mongoqueue"
	worker   = "pkg/runner"
	fleet    = "pkg/fleet/mongofleet"
	database = "pkg/mongodb"
)

// port names tests of the conformance suite.
func port(names ...string) []string {
	tests := make([]string, len(names))
	for i, name := range names {
		tests[i] = "TestConformance/" + name
	}
	return tests
}

// edit is one change of one declaration.
func edit(of, old, text string) []mutation.Edit {
	return []mutation.Edit{{Of: of, Old: old, New: text}}
}
