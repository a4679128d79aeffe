package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// A test may take slack times its normal time and a start.
const (
	slack = 4
	start = 15 * time.Second
)

// Copy is a copy of the repository in which mutations are tried one by one.
type Copy struct {
	root   string // of the original
	dir    string
	normal map[string]time.Duration // by package and test
}

// NewCopy copies the repository.
func NewCopy(root string) (*Copy, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the copy: %w", err)
	}
	c := &Copy{root: root, dir: dir, normal: map[string]time.Duration{}}
	if err := copyTree(root, dir); err != nil {
		return nil, errors.Join(err, c.Remove())
	}
	return c, nil
}

// Remove removes the copy.
func (c *Copy) Remove() error { return os.RemoveAll(c.dir) }

// Check runs the tests of all mutations on the code as it is: they must pass,
// and none may be skipped, or their failure would say nothing. It learns how
// long they take.
func (c *Copy) Check(ctx context.Context, mutations []mutation.Mutation) error {
	byPackage := map[string][]string{}
	for _, m := range mutations {
		for _, test := range m.Tests {
			if !slices.Contains(byPackage[m.Package()], test) {
				byPackage[m.Package()] = append(byPackage[m.Package()], test)
			}
		}
	}
	for folder, tests := range byPackage {
		program, output, err := c.build(ctx, folder)
		if err != nil {
			return fmt.Errorf("the tests of %s do not build: %w\n%s", folder, err, output)
		}
		output, failure := c.run(ctx, folder, program, tests, 10*time.Minute)
		got := readVerdicts(output)
		for _, test := range tests {
			took, passed := got.passed[printed(test)]
			if !passed {
				return fmt.Errorf("without a mutation the test %q of %s does not pass (%v), so its failure says nothing:\n%s", test, folder, failure, output)
			}
			c.normal[folder+" "+test] = took
		}
	}
	return nil
}

// Learn takes over what another copy's Check has learned.
func (c *Copy) Learn(from *Copy) { c.normal = from.normal }

// Try applies a mutation to the copy, runs its tests, and takes it back.
func (c *Copy) Try(ctx context.Context, m mutation.Mutation) Result {
	began := time.Now()
	result := Result{Mutation: m, Verdict: NotTried}
	result.Verdict, result.By, result.Said = c.try(ctx, m)
	result.Took = time.Since(began)
	return result
}

func (c *Copy) try(ctx context.Context, m mutation.Mutation) (verdict Verdict, by []string, said string) {
	changed, err := m.Apply(c.dir)
	if err != nil {
		return NotTried, nil, err.Error()
	}
	undo, err := overwrite(changed)
	defer func() {
		if err := undo(); err != nil { // every later trial would be wrong
			verdict, by, said = NotTried, nil, "the mutation was not taken back: "+err.Error()
		}
	}()
	if err != nil {
		return NotTried, nil, err.Error()
	}
	program, output, err := c.build(ctx, m.Package())
	if err != nil {
		return NotTried, nil, "it does not build, so no test was asked:\n" + string(output)
	}
	output, err = c.run(ctx, m.Package(), program, m.Tests, c.patience(m))
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

// patience is how long the tests of a mutation may take.
func (c *Copy) patience(m mutation.Mutation) time.Duration {
	total := start
	for _, test := range m.Tests {
		total += slack * c.normal[m.Package()+" "+test]
	}
	return total
}

// overwrite writes files, and returns what puts back the former ones.
func overwrite(files map[string][]byte) (undo func() error, err error) {
	former := map[string][]byte{}
	undo = func() error {
		var failures []error
		for path, content := range former {
			failures = append(failures, os.WriteFile(path, content, 0o644))
		}
		return errors.Join(failures...)
	}
	for path, content := range files {
		before, err := os.ReadFile(path)
		if err != nil {
			return undo, err
		}
		former[path] = before
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// build makes the test program of a package. Without debugging information it
// is linked in half the time.
func (c *Copy) build(ctx context.Context, folder string) (program string, output []byte, err error) {
	program = filepath.Join(c.dir, "mutant.test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-o", program, ".")
	cmd.Dir = filepath.Join(c.dir, filepath.FromSlash(folder))
	cmd.Env = append(os.Environ(), "GOWORK=off")
	output, err = cmd.CombinedOutput()
	return program, output, err
}

func (c *Copy) run(ctx context.Context, folder, program string, tests []string, limit time.Duration) ([]byte, error) {
	// The tests end themselves at the limit; one that cannot even do that is killed.
	ctx, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.v", "-test.run="+pattern(tests), "-test.timeout="+limit.String())
	cmd.Dir = filepath.Join(c.dir, filepath.FromSlash(folder))
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.WaitDelay = 10 * time.Second // children may hold its output
	output, err := cmd.CombinedOutput()
	return output, err
}

// Reason is the last thing that was said in a few words.
func (r Result) Reason() string {
	lines := strings.Split(strings.TrimSpace(r.Said), "\n")
	if len(lines) > 40 {
		lines = append([]string{"…"}, lines[len(lines)-40:]...)
	}
	return strings.Join(lines, "\n")
}
