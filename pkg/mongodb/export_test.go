package mongodb

import "time"

// AtlasAddress shows tests the address that is built from parts: it resolves
// in the DNS only, so no test can connect to it.
func AtlasAddress(o Options) string { return o.atlasFromParts() }

// Pauses shows tests the first n pauses of Connect.
func Pauses(n int) []time.Duration {
	b, out := pauses(), make([]time.Duration, n)
	for i := range out {
		out[i] = b.NextBackOff()
	}
	return out
}

// Candidates shows tests the variables of the servers that Connect tries, in
// order: one that is built from parts resolves in the DNS only.
func Candidates(o Options) ([]string, error) {
	candidates, err := o.candidates()
	var names []string
	for _, c := range candidates {
		names = append(names, c.Name)
	}
	return names, err
}
