package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/tools/chaos/internal/plan"
)

const many = 500

func TestASeedAlwaysGivesTheSamePlan(t *testing.T) {
	t.Parallel()
	for seed := range uint64(many) {
		if diff := cmp.Diff(plan.New(seed), plan.New(seed)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
	if plan.New(1).String() == plan.New(2).String() {
		t.Error("two seeds give one plan")
	}
}

// A row of seeds tries every kind, and each plan keeps the bounds.
func TestPlans(t *testing.T) {
	t.Parallel()
	kinds := plan.Kinds()
	for from := range uint64(many - len(kinds)) {
		tried := map[plan.Kind]bool{}
		for seed := from; seed < from+uint64(len(kinds)); seed++ {
			for _, f := range plan.New(seed).Faults {
				tried[f.Kind] = true
			}
		}
		if len(tried) != len(kinds) {
			t.Fatalf("the %d seeds from %d try %d kinds of %d", len(kinds), from, len(tried), len(kinds))
		}
	}
	for seed := range uint64(many) {
		p := plan.New(seed)
		if len(p.Faults) < 2 || len(p.Faults) > 20 {
			t.Errorf("%d faults:\n%s", len(p.Faults), p)
		}
		for i, f := range p.Faults {
			during := 0
			for _, other := range p.Faults[:i] {
				if f.Begin < other.Begin+other.For {
					during++
				}
			}
			if during > 1 || f.Begin > plan.Window || f.Begin+f.For > plan.Last || i > 0 && f.Begin < p.Faults[i-1].Begin {
				t.Errorf("seed %d: %s, during %d others", seed, f, during)
			}
		}
	}
}
