// Package programs builds what runs under chaos: the api and the worker of
// this tree and the worker of an older commit, with wall clocks that can be
// stepped, and finds Node's Agenda and libfaketime where they are installed.
package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/etrainer/backend/tools/chaos/internal/clock"
)

// OlderCommit is the last commit before the queue was made to hold under
// chaos: its workers run beside ours, as during a rollout.
const OlderCommit = "931a6be"

// Set is where everything is. What is "" is not there; Missing says why.
type Set struct {
	Dev, API, Worker string
	Older            string // worker of OlderCommit
	Redis            string // redis-server; without it the embedded Redis serves
	Node             string // the program of the Node process
	Interop          string // folder with the packages of Agenda
	Faketime         string // libfaketime
	Missing          []string
}

// Build builds all programs into a folder. root is the repository.
func Build(ctx context.Context, root, folder string) (*Set, error) {
	goroot, err := output(ctx, root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the programs: %w", err)
	}
	overlay, err := clock.Overlay(folder, goroot)
	if err != nil {
		return nil, err
	}
	b := builder{root: root, folder: folder, overlay: overlay}
	s := &Set{Dev: filepath.Join(root, "bin", "dev")}
	if s.API, err = b.build(ctx, filepath.Join(root, "api"), "./cmd/api", "api"); err != nil {
		return nil, err
	}
	if s.Worker, err = b.build(ctx, filepath.Join(root, "tools", "chaos"), "./cmd/worker", "worker"); err != nil {
		return nil, err
	}
	if s.Older, err = b.older(ctx); err != nil {
		s.miss("no older worker runs beside: %v", err)
	}
	s.find(ctx, root)
	return s, nil
}

// find looks for what is installed.
func (s *Set) find(ctx context.Context, root string) {
	var err error
	if s.Redis, err = exec.LookPath("redis-server"); err != nil {
		s.miss("redis-server is not installed: the embedded Redis serves")
	}
	if s.Faketime = clock.Library(); s.Faketime == "" {
		s.miss("libfaketime is not installed (Debian's package faketime): the clock of Node is not stepped")
	}
	interop := filepath.Join(root, "tools", "interop")
	if _, err := output(ctx, interop, "npm", "ls", "--silent"); err != nil {
		s.miss("no Node process runs beside: Node, npm or the packages of tools/interop are missing (npm ci in that folder)")
		return
	}
	s.Interop, s.Node = interop, filepath.Join(root, "tools", "chaos", "node", "agenda.mjs")
}

func (s *Set) miss(format string, values ...any) {
	s.Missing = append(s.Missing, fmt.Sprintf(format, values...))
}

type builder struct{ root, folder, overlay string }

func (b builder) build(ctx context.Context, module, path, name string) (string, error) {
	binary := filepath.Join(b.folder, name)
	if _, err := output(ctx, module, "go", "build", "-trimpath", "-overlay", b.overlay, "-o", binary, path); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return binary, nil
}

// older builds the program of the folder older within the tree of the older
// commit. A checkout without that commit cannot.
func (b builder) older(ctx context.Context) (string, error) {
	if _, err := output(ctx, b.root, "git", "cat-file", "-e", OlderCommit+"^{commit}"); err != nil {
		return "", fmt.Errorf("the commit %s is not in this checkout", OlderCommit)
	}
	tree, err := os.MkdirTemp("", "etrainer-chaos-older-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the older tree: %w", err)
	}
	defer os.RemoveAll(tree)
	archive := filepath.Join(tree, "tree.tar")
	if _, err := output(ctx, b.root, "git", "archive", "--output", archive, OlderCommit, "pkg", "worker"); err != nil {
		return "", err
	}
	if _, err := output(ctx, tree, "tar", "-xf", archive); err != nil {
		return "", err
	}
	program := filepath.Join(tree, "worker", "cmd", "chaos")
	if err := os.CopyFS(program, os.DirFS(filepath.Join(b.root, "tools", "chaos", "older"))); err != nil {
		return "", fmt.Errorf("copy the older program: %w", err)
	}
	binary := filepath.Join(b.folder, "older")
	_, err = output(ctx, filepath.Join(tree, "worker"), "go", "build", "-trimpath", "-tags", "older", "-overlay", b.overlay, "-o", binary, "./cmd/chaos")
	return binary, err
}

// output runs a command of the toolchain and returns what it prints.
func output(ctx context.Context, folder, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
