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
	// Own is what no other process has; 0 where the kernel does not tell.
	// Processes of one program have its pages together.
	Own float64
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
	if rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		m.Own = kilobytes(string(rollup), "Private_Clean:") + kilobytes(string(rollup), "Private_Dirty:")
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

// ticksPerSecond is in what /proc counts processor time, on every architecture
// of Linux that Go knows.
const ticksPerSecond = 100

// ProcessorTime is what the program and its children have used so far, in
// seconds; 0 where the system does not tell. Unlike the time on the clock it
// does not count what other programs use.
func (p *Process) ProcessorTime() float64 {
	total := 0.0
	for _, pid := range append(p.Children(), p.command.Process.Pid) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // it may have ended
		_, after, _ := strings.Cut(string(text), ") ")            // the name may have spaces
		fields := strings.Fields(after)
		for _, i := range []int{11, 12} { // utime, stime
			if i < len(fields) {
				ticks, _ := strconv.ParseFloat(fields[i], 64)
				total += ticks / ticksPerSecond
			}
		}
	}
	return total
}
