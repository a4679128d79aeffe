package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/mutate/internal/mutation"
)

// build makes the test program of a package with its mutations. Without debugging
// information it is linked in half the time.
func (b *Bench) build(ctx context.Context, folder string, mutations []mutation.Mutation) error {
	files, err := mutation.Metamutant(b.root, folder, mutations)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, strings.ReplaceAll(folder, "/", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	overlay, err := writeOverlay(dir, files)
	if err != nil {
		return err
	}
	b.programs[folder] = filepath.Join(dir, "tests")
	output, err := b.command(ctx, folder, "go", "test", "-c", "-ldflags=-s -w", "-overlay="+overlay, "-o", b.programs[folder], ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	return nil
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

// run runs tests of a package with a mutation; "" = with none.
func (b *Bench) run(ctx context.Context, folder, mutant string, tests []string, limit time.Duration) ([]byte, error) {
	// The tests end themselves at the limit; one that cannot even do that is killed.
	ctx, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	cmd := b.command(ctx, folder, b.programs[folder], "-test.v", "-test.run="+pattern(tests), "-test.timeout="+limit.String())
	cmd.Env = append(cmd.Env, mutation.Variable+"="+mutant)
	cmd.WaitDelay = 10 * time.Second // children may hold its output
	return cmd.CombinedOutput()
}

func (b *Bench) command(ctx context.Context, folder, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join(b.root, filepath.FromSlash(folder))
	cmd.Env = append(os.Environ(), "GOWORK=off", "TEST_PATIENCE="+patience)
	return cmd
}
