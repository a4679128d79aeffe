package mediafile

import (
	"encoding/binary"
	"io"
)

// aviWalk reads the lists of the header of an AVI.
type aviWalk struct {
	file          io.ReaderAt
	info          *Info
	frame         uint32 // microseconds of one
	frames        uint32
	film          bool
	scale, rate   uint32 // of the film: rate / scale frames in a second
	length        uint32 // of the film, in frames
	width, height uint32
}

// mostAVI is how deep its lists are followed: a header, a stream, its extension.
const mostAVI = 3

// measureAVI reads the main header, and that of the film where the main one
// tells nothing.
func measureAVI(file io.ReaderAt, info *Info) error {
	w := &aviWalk{file: file, info: info}
	w.list(12, info.Size, mostAVI)
	if !w.film {
		return notTaken("is an AVI without a film")
	}
	if info.Duration = float64(w.frame) * float64(w.frames) / 1e6; info.Duration == 0 && w.rate > 0 {
		info.Duration = float64(w.length) * float64(w.scale) / float64(w.rate)
	}
	if w.width < 1<<16 && w.height < 1<<16 {
		info.Width, info.Height = int(w.width), int(w.height)
	}
	return nil
}

func (w *aviWalk) list(at, end int64, depth int) {
	chunks(w.file, at, end, func(kind string, body, size int64) bool {
		b := readAt(w.file, body, int(min(size, 48)))
		switch {
		case kind == "LIST" && len(b) >= 4:
			if string(b[:4]) == "movi" {
				return false // the film itself: all is told
			}
			if depth > 0 {
				w.list(body+4, body+size, depth-1)
			}
		case kind == "avih" && len(b) >= 40:
			w.frame, w.frames = word(b, 0), word(b, 16)
			w.width, w.height = word(b, 32), word(b, 36)
		case kind == "dmlh" && len(b) >= 4: // of a film of more than one gigabyte
			w.frames = max(w.frames, word(b, 0))
		case kind == "strh" && len(b) >= 36 && string(b[:4]) == "vids":
			w.film, w.scale, w.rate, w.length = true, word(b, 20), word(b, 24), word(b, 32)
		}
		return true
	})
}

// word is a number of 32 bits within a header.
func word(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
