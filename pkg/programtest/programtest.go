// Package programtest builds the programs of this repository for tests that run
// them, once for all tests of a package.
package programtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// modules are the folders of the programs' modules, from the root.
var modules = map[string]string{"api": "api", "worker": "worker", "migrate": "migrations"}

// built is guarded by mu.
var (
	mu    sync.Mutex
	dir   string // of all programs; "" = there is none yet
	built = map[string]bool{}
)

// Path returns where a program is: api, worker or migrate. All are in one folder,
// as after "make build", which mongotest.Main removes.
func Path(t testing.TB, program string) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if dir == "" {
		made, err := os.MkdirTemp("", "etrainer-programs-") //nolint:usetesting // for all tests of the package
		if err != nil {
			t.Fatal(err)
		}
		dir = made
		mongotest.AtEnd(func() error { return os.RemoveAll(made) })
	}
	path := filepath.Join(dir, program)
	if !built[program] {
		root, err := mongotest.Repository()
		if err != nil {
			t.Fatal(err)
		}
		build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/"+program)
		build.Dir = filepath.Join(root, modules[program])
		build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", program, err, output)
		}
		built[program] = true
	}
	return path
}
