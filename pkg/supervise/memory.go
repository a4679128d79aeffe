package supervise

import "runtime/metrics"

// Resident is the memory of this process in bytes.
func Resident() uint64 { return resident() }

// fromRuntime is what Go has from the system, in bytes, where the system does
// not tell what is resident.
func fromRuntime() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
