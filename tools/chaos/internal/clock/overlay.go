package clock

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Variable names the file of a Wall in the environment of a Go program that
// was built with the overlay. Without it the program tells the real time.
const Variable = "CHAOS_CLOCK"

// The line of time.Now that reads the clock, and what stands there instead.
const (
	reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	stepped = "func Now() Time {\n\tsec, nsec, mono := steppedNow()\n"
)

// step is the file that the overlay adds to package time.
const step = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// wallStep is how many seconds the wall clock was stepped.
var wallStep = mapWallStep()

func mapWallStep() *int64 {
	name, set := syscall.Getenv("` + Variable + `")
	if !set {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("open the file of the clock " + name + ": " + err.Error())
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map the file of the clock " + name + ": " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}

func steppedNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	return sec + atomic.LoadInt64(wallStep), nsec, mono
}
`

// Overlay writes the files of the overlay into a folder, and returns the one
// for "go build -overlay". goroot is the folder of the toolchain.
func Overlay(folder, goroot string) (string, error) {
	original := filepath.Join(goroot, "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("read package time: %w", err)
	}
	changed := strings.Replace(string(source), reading, stepped, 1)
	if changed == string(source) {
		return "", fmt.Errorf("time.Now in %s is not as in Go 1.26; adapt package clock to this toolchain", original)
	}
	ours, added := filepath.Join(folder, "time.go"), filepath.Join(folder, "wallstep.go")
	index, err := json.Marshal(map[string]map[string]string{"Replace": {
		original: ours, filepath.Join(filepath.Dir(original), "wallstep.go"): added,
	}})
	if err != nil {
		return "", fmt.Errorf("encode the overlay: %w", err)
	}
	overlay := filepath.Join(folder, "overlay.json")
	for name, text := range map[string]string{ours: changed, added: step, overlay: string(index)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write the overlay: %w", err)
		}
	}
	return overlay, nil
}
