package clock_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/clock"
)

// program prints, for each line that it reads, how far its wall clock is from
// where it began, and how much time passed by its monotonic clock.
const program = `package main

import ("bufio"; "fmt"; "os"; "time")

func main() {
	began := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		now := time.Now()
		fmt.Println(now.Round(0).Sub(began.Round(0)).Round(10*time.Second), now.Sub(began) < 10*time.Minute && time.Since(began) < 10*time.Minute)
	}
}
`

const node = `
const began = Date.now(), ticks = process.hrtime.bigint()
for await (const _ of (await import('node:readline')).createInterface({ input: process.stdin }))
	console.log(Math.round((Date.now() - began) / 1e4) * 10, process.hrtime.bigint() - ticks < 600_000_000_000n)
process.exit(0)
`

// A running Go program sees each step of its wall clock, and none of its
// monotonic clock.
func TestStepsOfAGoProgram(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	overlay, err := clock.Overlay(folder, runtime.GOROOT()) //nolint:staticcheck // tests run with the toolchain that built them
	if err != nil {
		t.Fatal(err)
	}
	source, binary := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-overlay", overlay, "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wall := newWall(t)
	steps(t, wall, exec.Command(binary), wall.Env(), map[time.Duration]string{
		0: "0s true", 11 * time.Minute: "11m0s true", -11 * time.Minute: "-11m0s true",
	})
}

// So does Node.
func TestStepsOfNode(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	library := clock.Library()
	if library == "" {
		t.Skip("libfaketime is not installed (Debian's package libfaketime)")
	}
	wall := newWall(t)
	cmd := exec.Command("node", "--input-type=module", "--eval", node)
	steps(t, wall, cmd, wall.FaketimeEnv(library), map[time.Duration]string{0: "0 true", 11 * time.Minute: "660 true", -11 * time.Minute: "-660 true"})
}

func TestOverlayRefusesAnotherPackageTime(t *testing.T) {
	t.Parallel()
	goroot := t.TempDir()
	if err := os.MkdirAll(filepath.Join(goroot, "src", "time"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(goroot, "src", "time", "time.go"), []byte("package time\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := clock.Overlay(t.TempDir(), goroot); err == nil || !strings.Contains(err.Error(), "not as in Go 1.26") {
		t.Errorf("the error is %v", err)
	}
}

func newWall(t *testing.T) *clock.Wall {
	t.Helper()
	wall, err := clock.New(t.TempDir(), "p")
	if err != nil {
		t.Fatal(err)
	}
	return wall
}

// steps runs a program and compares what it says after each step.
func steps(t *testing.T, wall *clock.Wall, cmd *exec.Cmd, env []string, want map[time.Duration]string) {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), cmd.Wait() })
	answers := bufio.NewScanner(out)
	ask := func() string {
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() {
			t.Fatalf("no answer: %v", answers.Err())
		}
		return answers.Text()
	}
	ask() // it has begun
	for away, text := range want {
		if err := wall.Step(away); err != nil {
			t.Fatal(err)
		}
		if got := ask(); got != text {
			t.Errorf("%s after a step of %s; want %s", got, fmt.Sprint(away), text)
		}
	}
}
