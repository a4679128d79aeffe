package supervise

import (
	"bytes"
	"os"
	"strconv"
)

// resident is the memory of this process in bytes.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return fromRuntime()
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return fromRuntime()
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return fromRuntime()
	}
	return pages * uint64(os.Getpagesize())
}
