package version_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/version"
)

func TestStringNamesTheBuild(t *testing.T) {
	t.Parallel()
	if got := version.String(); !strings.HasPrefix(got, "dev (") || !strings.Contains(got, "go1.") {
		t.Errorf("String() = %q, want version, commit and Go version", got)
	}
}

// TestLinkTimeValues guards the names that the Makefile and the Dockerfiles
// pass to the linker, which ignores a name that does not exist.
func TestLinkTimeValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	program := "package main\n\nimport \"github.com/etrainer/backend/pkg/version\"\n\nfunc main() { println(version.String()) }\n"
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	const path = "github.com/etrainer/backend/pkg/version"
	run := exec.CommandContext(t.Context(), "go", "run", "-ldflags",
		"-X "+path+".Version=v9.8.7 -X "+path+".Commit=abc1234", source)
	run.Env = append(os.Environ(), "GOWORK=off")
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, out)
	}
	if !strings.HasPrefix(string(out), "v9.8.7 (abc1234, go") {
		t.Errorf("program printed %q", out)
	}
}
