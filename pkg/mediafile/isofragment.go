package mediafile

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/abema/go-mp4"
)

// mayRead reports whether a table of a fragment is small enough.
func (w *isoWalk) mayRead(size uint64) bool {
	w.tables += min(size, mostFragments)
	w.uncertain = w.uncertain || size > mostFragment || w.tables > mostFragments
	return !w.uncertain
}

// fragment notes of which track the fragment is that is read next.
func (w *isoWalk) fragment(b *mp4.Tfhd) {
	if w.moof = w.byID(b.TrackID); w.moof != nil {
		w.each = w.moof.each
		if b.GetFlags()&mp4.TfhdDefaultSampleDurationPresent != 0 {
			w.each = b.DefaultSampleDuration
		}
	}
}

// The optional fields of a table of samples (ISO 14496-12, section 8.8.8).
const (
	runOffset   = 0x1
	runFirst    = 0x4
	runDuration = 0x100
	runFields   = 0xf00 // one word each, for each sample
)

// run adds the length of the samples of a fragment. The library would make room
// for as many as the table announces, so it is read here.
func (w *isoWalk) run(h *mp4.ReadHandle) {
	var b bytes.Buffer
	if w.moof == nil || !w.mayRead(h.BoxInfo.Size) {
		return
	}
	if _, err := h.ReadData(&b); err != nil || b.Len() < 8 {
		return
	}
	table := b.Bytes()
	flags, count := binary.BigEndian.Uint32(table), binary.BigEndian.Uint32(table[4:])
	if flags&runDuration == 0 {
		w.moof.fragments += uint64(count) * uint64(w.each)
		return
	}
	entry := 4 * bits.OnesCount32(flags&runFields)
	table = table[min(8+4*bits.OnesCount32(flags&(runOffset|runFirst)), len(table)):]
	for ; count > 0 && len(table) >= entry; count-- {
		w.moof.fragments += uint64(binary.BigEndian.Uint32(table))
		table = table[entry:]
	}
}
