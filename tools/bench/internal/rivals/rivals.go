// Package rivals runs the same no-op jobs on Node's Agenda 5 and 6.
package rivals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Agenda is one version of Agenda; the value is how node/noop.mjs calls it.
type Agenda string

// The versions that package.json pins.
const (
	Agenda6 Agenda = "agenda6"
	Agenda5 Agenda = "agenda5"
)

// Version is the exact version.
func (a Agenda) Version() string {
	if a == Agenda5 {
		return "5.0.0"
	}
	return "6.2.6"
}

// String is the name to show.
func (a Agenda) String() string { return "Agenda " + a.Version() }

// startTime is how long Node may take beside the limit of the run.
const startTime = 20 * time.Second

// ErrNotInstalled means that Node or its packages are missing.
var ErrNotInstalled = errors.New("node or its packages are missing; run npm ci in tools/bench/node")

// Node runs the rivals from the folder with package.json.
type Node struct {
	Dir string
}

// Settings are those of Agenda's constructor, and how long a run may take.
type Settings struct {
	Concurrency  int // maxConcurrency and defaultConcurrency
	ProcessEvery time.Duration
	Limit        time.Duration
}

// String names the settings as Agenda does.
func (s Settings) String() string {
	return fmt.Sprintf("maxConcurrency/defaultConcurrency %d, processEvery %d ms", s.Concurrency, s.ProcessEvery.Milliseconds())
}

// Result is what a run printed.
type Result struct {
	Finished     bool           `json:"finished"`  // all jobs, within the limit
	Completed    int            `json:"completed"` // jobs whose outcome is stored
	Runs         int            `json:"runs"`      // more than Completed when jobs ran twice
	Milliseconds float64        `json:"milliseconds"`
	Commands     map[string]int `json:"commands"`
	Node         string         `json:"node"`
}

// Total is how many commands were sent.
func (r Result) Total() (total int) {
	for _, count := range r.Commands {
		total += count
	}
	return total
}

// Available returns Node's version, or ErrNotInstalled.
func (n Node) Available(ctx context.Context) (string, error) {
	if _, err := os.Stat(filepath.Join(n.Dir, "node_modules", "agenda5")); err != nil {
		return "", ErrNotInstalled
	}
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return "", ErrNotInstalled
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), nil
}

// Run lets a version of Agenda work off the jobs that the database at uri
// holds under a name.
func (n Node) Run(ctx context.Context, version Agenda, uri, name string, jobs int, s Settings) (Result, error) {
	if _, err := n.Available(ctx); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limit+startTime)
	defer cancel()
	command := exec.CommandContext(ctx, "node", "noop.mjs", string(version), uri, strconv.Itoa(jobs),
		strconv.FormatFloat(s.Limit.Seconds(), 'f', -1, 64), strconv.Itoa(s.Concurrency),
		strconv.FormatInt(s.ProcessEvery.Milliseconds(), 10), name)
	command.Dir = n.Dir
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return Result{}, fmt.Errorf("run %s: %w: %s", version, err, bytes.TrimSpace(stderr.Bytes()))
	}
	var result Result
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		return Result{}, fmt.Errorf("read what %s printed: %w: %s", version, err, bytes.TrimSpace(stdout.Bytes()))
	}
	return result, nil
}

// Serve runs the Express server on a port of loopback. It returns the token of
// an administrator, and what stops the server.
func (n Node) Serve(ctx context.Context, uri, port string) (token string, stop func(), err error) {
	if _, err := n.Available(ctx); err != nil {
		return "", nil, err
	}
	command := exec.CommandContext(ctx, "node", "express.mjs", uri, port)
	command.Dir = n.Dir
	command.Env = append(os.Environ(), "NODE_ENV=production")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return "", nil, fmt.Errorf("start Express: %w", err)
	}
	if err := command.Start(); err != nil {
		return "", nil, fmt.Errorf("start Express: %w", err)
	}
	stop = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	var ready struct{ Token string }
	if err := json.NewDecoder(stdout).Decode(&ready); err != nil {
		stop()
		return "", nil, fmt.Errorf("start Express: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return ready.Token, stop, nil
}
