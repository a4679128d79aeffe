package mediafile

import (
	"encoding/binary"
	"io"
)

// mostRIFF is how many chunks of a list are visited: real files have a few
// dozen before what they are about.
const mostRIFF = 10_000

// chunks visits the chunks of a RIFF file between two places, until visit
// returns false. size is cut at the end: recorders that were stopped leave
// sizes that are too great. (golang.org/x/image/riff reads no file whose sizes
// are wrong.) all = there are no more than may be visited.
func chunks(file io.ReaderAt, at, end int64, visit func(kind string, body, size int64) bool) (all bool) {
	for range mostRIFF {
		head := readAt(file, at, 8)
		if len(head) < 8 || at+8 > end {
			return true
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		if !visit(string(head[:4]), at+8, min(size, end-at-8)) {
			return true
		}
		at += 8 + size + size%2
	}
	return at+8 > end
}
