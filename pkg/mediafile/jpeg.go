package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
)

// The markers of a JPEG (ITU-T T.81, table B.1).
const (
	markerEnd     = 0xd9
	markerScan    = 0xda
	markerLines   = 0xdc // the height, told behind the first scan
	markerApp0    = 0xe0
	markerApp1    = 0xe1
	markerApp2    = 0xe2
	markerApp14   = 0xee
	markerApp15   = 0xef
	markerComment = 0xfe
)

// The names of the segments that are looked at.
var (
	nameJFIF    = []byte("JFIF\x00")
	nameAdobe   = []byte("Adobe")
	nameProfile = []byte("ICC_PROFILE\x00")
)

// jpegWalk visits the segments of a JPEG.
type jpegWalk struct {
	parts
	file     io.ReaderAt
	size     int64
	scans    int
	hasTurn  bool
	profiles map[byte][]byte // pieces of the profile, by their number
	lines    int             // as a segment behind the first scan tells; 0 = none does
	frameAt  int64
}

// walkJPEG visits all segments up to the end of the picture, or to its data
// where the rest does not matter. What follows is a preview, a film, or nothing.
func walkJPEG(file io.ReaderAt, size int64, whole bool) (*parts, error) {
	w := &jpegWalk{file: file, size: size, profiles: map[byte][]byte{}}
	if head := readAt(file, 0, 2); len(head) < 2 || head[0] != 0xff || head[1] != 0xd8 {
		return nil, damaged("its header cannot be read")
	}
	w.kept.keep(0, 2)
	for at := int64(2); at < size; {
		marker, begin, end := w.next(at)
		if marker == 0 {
			break
		}
		if marker == markerScan && !whole && w.frame.height != 0 {
			break
		}
		if marker == markerScan {
			end = w.endOfScan(end)
		}
		w.segment(marker, begin, end)
		at = end
		if marker == markerEnd {
			break
		}
	}
	for number := byte(1); w.profiles[number] != nil; number++ {
		w.profile = append(w.profile, w.profiles[number]...)
	}
	w.setHeight()
	return &w.parts, nil
}

// next finds the segment at or behind a place. 0 = there is none.
func (w *jpegWalk) next(at int64) (marker byte, begin, end int64) {
	for {
		b := readAt(w.file, at, 64)
		skip := bytes.IndexByte(b, 0xff)
		if len(b) < 2 || skip < 0 && len(b) < 64 {
			return 0, 0, 0
		}
		if skip != 0 {
			if skip < 0 {
				skip = len(b)
			}
			at += int64(skip) // other readers, too, look for the next marker
			continue
		}
		switch m := b[1]; {
		case m == 0xff || m == 0: // filling
			at++
		case m == markerEnd:
			return m, at, at + 2
		case m >= 0xd0 && m <= 0xd8 || m == 1: // without a length
			at += 2
		case len(b) < 4:
			return 0, 0, 0
		default:
			return m, at, min(at+2+max(int64(binary.BigEndian.Uint16(b[2:])), 2), w.size)
		}
	}
}

// endOfScan is where the data of a scan end: at a marker that is not one of the
// restarts within them.
func (w *jpegWalk) endOfScan(at int64) int64 {
	const window = 32 << 10
	for at < w.size {
		b := readAt(w.file, at, window)
		for i := 0; i+1 < len(b); i++ {
			skip := bytes.IndexByte(b[i:len(b)-1], 0xff)
			if skip < 0 {
				break
			}
			i += skip
			if m := b[i+1]; m != 0 && m != 0xff && (m < 0xd0 || m > 0xd7) {
				return at + int64(i)
			}
		}
		if len(b) < window {
			break
		}
		at += window - 1
	}
	return w.size
}

// segment notes what a segment tells, and whether it stays.
func (w *jpegWalk) segment(marker byte, begin, end int64) {
	switch {
	case marker == markerScan:
		w.scans++
	case isFrame(marker) && w.frame.marker == 0:
		w.frame, w.frameAt = readFrame(marker, readAt(w.file, begin+4, int(min(end-begin-4, 6+3*4)))), begin
	case marker == markerLines && w.scans == 1:
		if b := readAt(w.file, begin+4, 2); len(b) == 2 {
			w.lines = int(binary.BigEndian.Uint16(b))
		}
		if w.frame.height == 0 {
			return // it moves into the frame
		}
	case marker == markerComment:
		return
	case marker >= markerApp0 && marker <= markerApp15:
		w.app(marker, begin, end)
		return
	}
	w.kept.keep(begin, end)
}

// app keeps what a decoder needs: the colours, and how the picture lies.
func (w *jpegWalk) app(marker byte, begin, end int64) {
	body := readAt(w.file, begin+4, int(end-begin-4))
	switch {
	case marker == markerApp0 && bytes.HasPrefix(body, nameJFIF), marker == markerApp14 && bytes.HasPrefix(body, nameAdobe):
		w.kept.keep(begin, end)
	case marker == markerApp2 && bytes.HasPrefix(body, nameProfile):
		if at := len(nameProfile); len(body) > at+2 {
			w.profiles[body[at]] = body[at+2:]
		}
		w.kept.keep(begin, end)
	case marker == markerApp1 && bytes.HasPrefix(body, exifName) && !w.hasTurn:
		w.turn, w.hasTurn = orientation(body), true
		switch exif := exifOf(w.turn); {
		case w.turn <= 1:
		case bytes.Equal(body, append(bytes.Clone(exifName), exif...)):
			w.kept.keep(begin, end)
		default:
			segment := binary.BigEndian.AppendUint16([]byte{0xff, markerApp1}, uint16(2+len(exifName)+len(exif)))
			w.kept.put(append(append(segment, exifName...), exif...))
		}
	}
}

// setHeight puts a height that stands behind the first scan where all decoders
// look for it.
func (w *jpegWalk) setHeight() {
	if w.frame.height != 0 || w.lines == 0 {
		return
	}
	w.frame.height = w.lines
	at := w.frameAt + 5
	old := w.kept
	w.kept = plan{}
	for _, piece := range old.pieces {
		switch {
		case piece.literal != nil:
			w.kept.put(piece.literal)
		case at >= piece.from && at+2 <= piece.to:
			w.kept.keep(piece.from, at)
			w.kept.put(binary.BigEndian.AppendUint16(nil, uint16(w.lines)))
			w.kept.keep(at+2, piece.to)
		default:
			w.kept.keep(piece.from, piece.to)
		}
	}
}
