package clock

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Wall is the wall clock of one process.
type Wall struct {
	file     string // of a Go program: the seconds of the step, as the machine stores an int64
	faketime string // of a program under libfaketime: the same as text
}

// New makes a clock that tells the real time; its files lie in the folder.
func New(folder, process string) (*Wall, error) {
	w := &Wall{file: filepath.Join(folder, process+".clock")}
	w.faketime = w.file + ".text"
	return w, w.Step(0)
}

// Step sets how far the clock is from the real time, to the second. Running
// processes see it at once.
func (w *Wall) Step(away time.Duration) error {
	seconds := int64(away / time.Second)
	file, err := os.OpenFile(w.file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("step a clock: %w", err)
	}
	defer file.Close()
	var bytes [8]byte
	binary.NativeEndian.PutUint64(bytes[:], uint64(seconds))
	if _, err := file.WriteAt(bytes[:], 0); err != nil {
		return fmt.Errorf("step a clock: %w", err)
	}
	// The text must never be seen half written.
	next := w.faketime + ".next"
	if err := os.WriteFile(next, fmt.Appendf(nil, "%+d\n", seconds), 0o600); err != nil {
		return fmt.Errorf("step a clock: %w", err)
	}
	if err := os.Rename(next, w.faketime); err != nil {
		return fmt.Errorf("step a clock: %w", err)
	}
	return nil
}

// Env is for a Go program that was built with the overlay.
func (w *Wall) Env() []string { return []string{Variable + "=" + w.file} }

// FaketimeEnv is for a program of the C library; library is Library's answer,
// "" = the program tells the real time.
func (w *Wall) FaketimeEnv(library string) []string {
	if library == "" {
		return nil
	}
	return []string{
		"LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + w.faketime, "FAKETIME_NO_CACHE=1",
		"FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", // its name until version 0.9.7
	}
}

// Library finds libfaketime (Debian's package libfaketime); "" = it is not
// installed.
func Library() string {
	for _, pattern := range []string{"/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}
