//go:build !linux

package supervise

// resident is the memory of this process in bytes.
func resident() uint64 { return fromRuntime() }
