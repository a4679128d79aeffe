// Package trial tries mutations: it builds the test program of a package with all
// its mutations, and runs for each the tests that must notice. Nothing in the
// repository is changed: the compiler gets other files in place of the mutated
// ones ("go help build" calls it an overlay), and takes the rest from its cache.
package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	// NoVerdict: the test program ended, and no named test had failed.
	NoVerdict Verdict = "NO VERDICT"
)

// Result is the end of one trial.
type Result struct {
	Mutation mutation.Mutation
	Verdict  Verdict
	By       []string // the tests that failed
	Took     time.Duration
	Said     string // what the tests printed
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

// Bench is where mutations are tried: a test program for each package that has
// mutations. Try is safe for concurrent use.
type Bench struct {
	root     string                   // of the repository
	dir      string                   // for what is built
	programs map[string]string        // by package
	normal   map[string]time.Duration // by package and test
}

// NewBench builds the test programs for mutations. Nothing in the repository at
// root is changed.
func NewBench(ctx context.Context, root string, mutations []mutation.Mutation) (*Bench, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the test programs: %w", err)
	}
	b := &Bench{root: root, dir: dir, programs: map[string]string{}, normal: map[string]time.Duration{}}
	for folder, some := range byPackage(mutations) {
		if err := b.build(ctx, folder, some); err != nil {
			return nil, errors.Join(fmt.Errorf("build the tests of %s with their mutations: %w", folder, err), b.Remove())
		}
	}
	return b, nil
}

func byPackage(mutations []mutation.Mutation) map[string][]mutation.Mutation {
	in := map[string][]mutation.Mutation{}
	for _, m := range mutations {
		in[m.In] = append(in[m.In], m)
	}
	return in
}

// Remove removes what was built.
func (b *Bench) Remove() error { return os.RemoveAll(b.dir) }

// Check runs the tests of mutations without any: they must pass, and none may be
// skipped, or their failure would say nothing. It learns how long they take.
func (b *Bench) Check(ctx context.Context, mutations []mutation.Mutation) error {
	for folder, some := range byPackage(mutations) {
		var tests []string
		for _, m := range some {
			tests = append(tests, m.Tests...)
		}
		slices.Sort(tests)
		tests = slices.Compact(tests)
		output, failure := b.run(ctx, folder, "", tests, 10*time.Minute)
		if failure != nil {
			output = append(output, failure.Error()...)
		}
		got := readVerdicts(output)
		for _, test := range tests {
			took, passed := got.passed[printed(test)]
			if !passed {
				return fmt.Errorf("without a mutation the test %q of %s does not pass, so its failure says nothing:\n%s", test, folder, output)
			}
			b.normal[folder+" "+test] = took
		}
	}
	return nil
}

// Try runs the tests of a mutation with it.
func (b *Bench) Try(ctx context.Context, m mutation.Mutation) Result {
	began := time.Now()
	output, err := b.run(ctx, m.In, m.Name, m.Tests, b.limit(m))
	result := Result{Mutation: m, Said: string(output), Took: time.Since(began)}
	got := readVerdicts(output)
	for _, test := range m.Tests {
		if got.failed[printed(test)] && !got.late {
			result.By = append(result.By, test)
		}
	}
	switch {
	case len(result.By) > 0:
		result.Verdict = Killed
	case got.late:
		result.Verdict = Late
	case err == nil:
		result.Verdict = Survived
	default:
		result.Verdict, result.Said = NoVerdict, err.Error()+"\n"+result.Said
	}
	return result
}

// limit is how long the tests of a mutation may take.
func (b *Bench) limit(m mutation.Mutation) time.Duration {
	total := start
	for _, test := range m.Tests {
		total += slack * b.normal[m.In+" "+test]
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
