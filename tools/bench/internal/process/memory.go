package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ErrNoMemory means that this system does not tell the memory of a process.
var ErrNoMemory = errors.New("not measured: only Linux tells the memory of another process in /proc")

// Memory is what a process holds of the machine's memory, in megabytes of a
// million bytes.
type Memory struct {
	Resident float64 // now
	Peak     float64 // at most so far
}

// MemoryOf reads the memory of a process.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, ErrNoMemory
	}
	m := Memory{Resident: kilobytes(string(text), "VmRSS:"), Peak: kilobytes(string(text), "VmHWM:")}
	if m.Resident == 0 {
		return Memory{}, ErrNoMemory
	}
	return m, nil
}

// kilobytes finds a line such as "VmRSS:    12345 kB".
func kilobytes(status, field string) float64 {
	for line := range strings.SplitSeq(status, "\n") {
		rest, found := strings.CutPrefix(line, field)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		if err != nil {
			return 0
		}
		return n * 1024 / 1e6
	}
	return 0
}
