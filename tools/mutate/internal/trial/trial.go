// Package trial tries mutations: it builds the test program of a package with one
// mechanism taken out, and runs the tests that must notice. Nothing in the
// repository is changed: the compiler gets other files in place of the mutated
// ones ("go help build" calls it an overlay), and takes the rest from its cache.
package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/mutate/internal/mutation"
)

// Verdict says what became of a mutation.
type Verdict string

// The verdicts. Only Killed is good.
const (
	// Killed: a named test failed, as it must.
	Killed Verdict = "killed"
	// Survived: the named tests passed, so they do not guard the mechanism.
	Survived Verdict = "SURVIVED"
	// Late: no named test failed within its time. Waiting for ever is no way to
	// notice: on a busy machine it cannot be told from a slow test.
	Late Verdict = "TOO LATE"
	// NotTried: it does not apply, does not build, or the tests ended without
	// a verdict.
	NotTried Verdict = "NOT TRIED"
)

// Result is the end of one trial.
type Result struct {
	Mutation mutation.Mutation
	Verdict  Verdict
	By       []string // the tests that failed
	Took     time.Duration
	Said     string // what the tests printed, or why there was no trial
}

const (
	// patience is how long a test waits for what does not come, where it asks the
	// environment. What must come takes a small part of it.
	patience = "10s"
	// A test may take slack times its normal time, a start, and its patience for
	// what it waits for and then for its cleaning up.
	slack = 4
	start = 40 * time.Second
)

// Bench is where mutations are tried. It is safe for concurrent use once Check
// has returned.
type Bench struct {
	root   string // of the repository
	dir    string // for what is built
	normal map[string]time.Duration
}

// NewBench returns a bench for the repository at root.
func NewBench(root string) (*Bench, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the test programs: %w", err)
	}
	return &Bench{root: root, dir: dir, normal: map[string]time.Duration{}}, nil
}

// Remove removes what was built.
func (b *Bench) Remove() error { return os.RemoveAll(b.dir) }

// Check runs the tests of all mutations on the code as it is: they must pass,
// and none may be skipped, or their failure would say nothing. It learns how
// long they take.
func (b *Bench) Check(ctx context.Context, mutations []mutation.Mutation) error {
	byPackage := map[string][]string{}
	for _, m := range mutations {
		for _, test := range m.Tests {
			if !slices.Contains(byPackage[m.Package()], test) {
				byPackage[m.Package()] = append(byPackage[m.Package()], test)
			}
		}
	}
	for folder, tests := range byPackage {
		program, output, err := b.build(ctx, "unchanged", folder, nil)
		if err != nil {
			return fmt.Errorf("the tests of %s do not build: %w\n%s", folder, err, output)
		}
		output, failure := b.run(ctx, folder, program, tests, 10*time.Minute)
		got := readVerdicts(output)
		for _, test := range tests {
			took, passed := got.passed[printed(test)]
			if !passed {
				return fmt.Errorf("without a mutation the test %q of %s does not pass (%v), so its failure says nothing:\n%s", test, folder, failure, output)
			}
			b.normal[folder+" "+test] = took
		}
	}
	return nil
}

// Try builds the tests of a mutation with it, and runs them.
func (b *Bench) Try(ctx context.Context, m mutation.Mutation) Result {
	began := time.Now()
	result := Result{Mutation: m}
	result.Verdict, result.By, result.Said = b.try(ctx, m)
	result.Took = time.Since(began)
	return result
}

func (b *Bench) try(ctx context.Context, m mutation.Mutation) (verdict Verdict, by []string, said string) {
	changed, err := m.Apply(b.root)
	if err != nil {
		return NotTried, nil, err.Error()
	}
	defer func() { _ = os.RemoveAll(filepath.Join(b.dir, m.Name)) }() // Remove does it as well
	program, output, err := b.build(ctx, m.Name, m.Package(), changed)
	if err != nil {
		return NotTried, nil, "it does not build, so no test was asked:\n" + err.Error() + "\n" + string(output)
	}
	output, err = b.run(ctx, m.Package(), program, m.Tests, b.limit(m))
	got := readVerdicts(output)
	for _, test := range m.Tests {
		if got.failed[printed(test)] && !got.late {
			by = append(by, test)
		}
	}
	switch {
	case len(by) > 0:
		return Killed, by, string(output)
	case got.late:
		return Late, nil, string(output)
	case err == nil:
		return Survived, nil, string(output)
	default:
		return NotTried, nil, "the tests ended without a verdict: " + err.Error() + "\n" + string(output)
	}
}

// limit is how long the tests of a mutation may take.
func (b *Bench) limit(m mutation.Mutation) time.Duration {
	total := start
	for _, test := range m.Tests {
		total += slack * b.normal[m.Package()+" "+test]
	}
	return total
}

// Reason is the last thing that was said in a few words.
func (r Result) Reason() string {
	lines := strings.Split(strings.TrimSpace(r.Said), "\n")
	if len(lines) > 40 {
		lines = append([]string{"…"}, lines[len(lines)-40:]...)
	}
	return strings.Join(lines, "\n")
}
