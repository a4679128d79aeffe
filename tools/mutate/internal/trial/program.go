package trial

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// build makes the test program of a package, with changed files in place of
// those of the repository. Without debugging information it is linked in half
// the time.
func (b *Bench) build(ctx context.Context, name, folder string, changed map[string][]byte) (program string, output []byte, err error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	overlay, err := writeOverlay(dir, changed)
	if err != nil {
		return "", nil, err
	}
	program = filepath.Join(dir, "tests")
	output, err = b.command(ctx, folder, "go", "test", "-c", "-ldflags=-s -w", "-overlay="+overlay, "-o", program, ".").CombinedOutput()
	return program, output, err
}

// writeOverlay writes changed files, and which files they stand for.
func writeOverlay(dir string, changed map[string][]byte) (path string, err error) {
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for original, content := range changed {
		to := filepath.Join(dir, strconv.Itoa(len(overlay.Replace))+".go")
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return "", err
		}
		overlay.Replace[original] = to
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}

func (b *Bench) run(ctx context.Context, folder, program string, tests []string, limit time.Duration) ([]byte, error) {
	// The tests end themselves at the limit; one that cannot even do that is killed.
	ctx, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	cmd := b.command(ctx, folder, program, "-test.v", "-test.run="+pattern(tests), "-test.timeout="+limit.String())
	cmd.WaitDelay = 10 * time.Second // children may hold its output
	return cmd.CombinedOutput()
}

func (b *Bench) command(ctx context.Context, folder, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join(b.root, filepath.FromSlash(folder))
	cmd.Env = append(os.Environ(), "GOWORK=off", "TEST_PATIENCE="+patience)
	return cmd
}
