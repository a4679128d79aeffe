package compose_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../../.."

var (
	whole = []string{"compose.yaml"}
	small = []string{"compose.yaml", "compose.dev.yaml"}
)

// everything enables all profiles.
const everything = "*"

// settings is the file that "make env" writes, as a map.
var settings = sync.OnceValues(func() (map[string]string, error) {
	dir, err := os.MkdirTemp("", "compose")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := makeEnv(dir); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, ".env"))
	return values(string(text)), err
})

// makeEnv runs tools/run/env in a folder of its own.
func makeEnv(dir string) (string, error) {
	script, err := os.ReadFile(root + "/tools/run/env")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tools", "run", "env")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(path, script, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command("bash", path).CombinedOutput()
	return string(out), err
}

// values reads the lines NAME=value of a file.
func values(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			found[name] = value
		}
	}
	return found
}

// read loads files with the settings of "make env", and some changed; "-" =
// without it.
func read(t *testing.T, files []string, change map[string]string, profiles ...string) (*types.Project, error) {
	t.Helper()
	made, err := settings()
	if err != nil {
		t.Fatal(err)
	}
	env := maps.Clone(made)
	maps.Copy(env, change)
	var lines []string
	for name, value := range env {
		if value != "-" {
			lines = append(lines, name+"="+value)
		}
	}
	var paths []string
	for _, file := range files {
		paths = append(paths, filepath.Join(root, file))
	}
	options, err := cli.NewProjectOptions(paths, cli.WithWorkingDirectory(root), cli.WithEnv(lines), cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

// load is read for files that must load.
func load(t *testing.T, files []string, change map[string]string, profiles ...string) *types.Project {
	t.Helper()
	project, err := read(t, files, change, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// environment is what a container gets: variables that are passed on, and that
// nobody set, are not there.
func environment(service types.ServiceConfig) map[string]string {
	got := map[string]string{}
	for name, value := range service.Environment {
		if value != nil {
			got[name] = *value
		}
	}
	return got
}
