package mediafile

import (
	"encoding/binary"
	"io"
)

// The bounds of a walk over boxes: real files have a few hundred at the most.
const (
	maxBoxes = 4096
	maxDepth = 6
)

// isoWalk reads MP4, MOV and M4A files: boxes within boxes (ISO 14496-12).
type isoWalk struct {
	file     io.ReaderAt
	info     *Info
	boxes    int
	film     bool // a track is a film
	sound    bool
	scale    uint32  // units of time in a second
	fragment float64 // seconds, of a film in fragments
}

func measureISOMedia(file io.ReaderAt, info *Info) {
	w := &isoWalk{file: file, info: info}
	w.walk(0, info.Size, 0)
	if info.Duration == 0 {
		info.Duration = w.fragment
	}
	switch {
	case info.Format == MP4 && w.sound && !w.film:
		info.Format = M4A
	case info.Format == M4A && w.film:
		info.Format = MP4
	}
}

// walk visits the boxes between two places.
func (w *isoWalk) walk(at, end int64, depth int) {
	for at+8 <= end && w.boxes < maxBoxes && depth < maxDepth {
		w.boxes++
		head := readAt(w.file, at, 16)
		if len(head) < 8 {
			return
		}
		size, body := int64(binary.BigEndian.Uint32(head)), at+8
		switch {
		case size == 0: // to the end
			size = end - at
		case size == 1 && len(head) == 16:
			size, body = int64(binary.BigEndian.Uint64(head[8:])), at+16
		}
		if size < body-at || size > end-at {
			return
		}
		w.box(string(head[4:8]), body, at+size, depth)
		at += size
	}
}

func (w *isoWalk) box(kind string, body, end int64, depth int) {
	switch kind {
	case "moov", "trak", "mdia", "mvex":
		w.walk(body, end, depth+1)
	case "mvhd":
		w.info.Duration = w.movieDuration(body, end)
	case "mehd":
		w.fragment = w.fragmentDuration(body, end)
	case "tkhd":
		w.trackSize(body, end)
	case "hdlr":
		handler := string(readAt(w.file, body+8, 4))
		w.film, w.sound = w.film || handler == "vide", w.sound || handler == "soun"
	}
}

// movieDuration reads a movie header: version 0 has 32 bits, version 1 has 64.
func (w *isoWalk) movieDuration(body, end int64) float64 {
	b := readAt(w.file, body, int(min(end-body, 32)))
	if len(b) < 20 {
		return 0
	}
	scale, length := binary.BigEndian.Uint32(b[12:]), uint64(binary.BigEndian.Uint32(b[16:]))
	if length == 0xffffffff {
		length = 0 // unknown
	}
	if b[0] == 1 {
		if len(b) < 32 {
			return 0
		}
		scale, length = binary.BigEndian.Uint32(b[20:]), binary.BigEndian.Uint64(b[24:])
	}
	w.scale = scale
	if scale == 0 {
		return 0
	}
	return float64(length) / float64(scale)
}

// fragmentDuration is the length of a film that is in fragments.
func (w *isoWalk) fragmentDuration(body, end int64) float64 {
	b := readAt(w.file, body, int(min(end-body, 12)))
	if len(b) < 8 || w.scale == 0 {
		return 0
	}
	length := uint64(binary.BigEndian.Uint32(b[4:]))
	if b[0] == 1 && len(b) == 12 {
		length = binary.BigEndian.Uint64(b[4:])
	}
	return float64(length) / float64(w.scale)
}

// trackSize reads the greatest picture of a track, as 16.16 fixed point at the
// end of its header. A quarter turn in the matrix swaps the sides.
func (w *isoWalk) trackSize(body, end int64) {
	b := readAt(w.file, body, int(min(end-body, 96)))
	if len(b) < 84 {
		return
	}
	tail := 84
	if b[0] == 1 {
		tail = 96
	}
	if len(b) < tail {
		return
	}
	width, height := int(binary.BigEndian.Uint16(b[tail-8:])), int(binary.BigEndian.Uint16(b[tail-4:]))
	matrix := b[tail-44:]
	if binary.BigEndian.Uint32(matrix) == 0 && binary.BigEndian.Uint32(matrix[4:]) != 0 {
		width, height = height, width
	}
	if width*height > w.info.Width*w.info.Height {
		w.info.Width, w.info.Height = width, height
	}
}
