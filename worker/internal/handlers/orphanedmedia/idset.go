package orphanedmedia

import (
	"hash/maphash"
	"slices"
)

// idSet is which ids were seen, in eight bytes for each: ten million files
// need 80 MB. That two ids have the same hash would hide a missing file until
// the next run, which hashes otherwise.
type idSet struct {
	seed   maphash.Seed
	hashes []uint64
}

func newIDSet() *idSet { return &idSet{seed: maphash.MakeSeed()} }

func (s *idSet) add(id string) { s.hashes = append(s.hashes, maphash.String(s.seed, id)) }

// seal ends the adding; has may be called from then on.
func (s *idSet) seal() { slices.Sort(s.hashes) }

func (s *idSet) has(id string) bool {
	_, found := slices.BinarySearch(s.hashes, maphash.String(s.seed, id))
	return found
}
