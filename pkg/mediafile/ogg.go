package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
)

// oggTail is where the last page must begin: a page has at most 65,307 bytes.
const oggTail = 65307 + 27

// measureOGG divides the position of the last page, which is in samples, by
// the samples in a second (RFC 3533, RFC 7845, Vorbis I).
func measureOGG(file io.ReaderAt, info *Info) {
	head := readAt(file, 28, 32)
	var rate float64
	var skip uint64
	switch {
	case len(head) >= 16 && bytes.HasPrefix(head, []byte("\x01vorbis")):
		rate = float64(binary.LittleEndian.Uint32(head[12:]))
	case len(head) >= 12 && bytes.HasPrefix(head, []byte("OpusHead")):
		rate, skip = 48000, uint64(binary.LittleEndian.Uint16(head[10:]))
	default:
		return
	}
	from := max(info.Size-oggTail, 0)
	tail := readAt(file, from, oggTail)
	at := bytes.LastIndex(tail, []byte("OggS"))
	if at < 0 || len(tail) < at+14 || rate == 0 {
		return
	}
	position := binary.LittleEndian.Uint64(tail[at+6:])
	if position < skip || position == 1<<64-1 {
		return
	}
	info.Duration = float64(position-skip) / rate
}
