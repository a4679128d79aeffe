package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
)

// The ids of the objects of a WMV file that are read.
var (
	asfFile   = []byte{0xA1, 0xDC, 0xAB, 0x8C, 0x47, 0xA9, 0xCF, 0x11, 0x8E, 0xE4, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65}
	asfStream = []byte{0x91, 0x07, 0xDC, 0xB7, 0xB7, 0xA9, 0xCF, 0x11, 0x8E, 0xE6, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65}
	asfVideo  = []byte{0xC0, 0xEF, 0x19, 0xBC, 0x4D, 0x5B, 0xCF, 0x11, 0xA8, 0xFD, 0x00, 0x80, 0x5F, 0x5C, 0x44, 0x2B}
	asfMore   = []byte{0xB5, 0x03, 0xBF, 0x5F, 0x2E, 0xA9, 0xCF, 0x11, 0x8E, 0xE3, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65}
)

// The places within the objects.
const (
	asfHead      = 30 // of the header object
	asfObject    = 24 // of every other
	mostObjects  = 4096
	asfBroadcast = 1       // the length is not known yet
	asfExtension = 1 << 16 // how much of the header extension is searched
)

// measureASF reads the objects within the header object. The length is in
// units of 100 ns, and includes the preroll, which is in milliseconds.
func measureASF(file io.ReaderAt, info *Info) error {
	at, film := int64(asfHead), false
	for range mostObjects {
		b := readAt(file, at, 96)
		if len(b) < asfObject {
			break
		}
		size := binary.LittleEndian.Uint64(b[16:])
		if size < asfObject || size > uint64(info.Size-at) {
			break
		}
		switch {
		case bytes.Equal(b[:16], asfFile) && len(b) >= 92 && b[88]&asfBroadcast == 0:
			length, preroll := binary.LittleEndian.Uint64(b[64:]), binary.LittleEndian.Uint64(b[80:])
			info.Duration = float64(length)/1e7 - float64(preroll)/1e3
		case bytes.Equal(b[:16], asfStream) && len(b) >= 86 && bytes.Equal(b[24:40], asfVideo):
			film = true
			width, height := binary.LittleEndian.Uint32(b[78:]), binary.LittleEndian.Uint32(b[82:])
			if width < 1<<16 && height < 1<<16 {
				info.Width, info.Height = int(width), int(height)
			}
		case bytes.Equal(b[:16], asfMore):
			film = film || bytes.Contains(readAt(file, at, int(min(size, asfExtension))), asfVideo)
		}
		at += int64(size)
	}
	if !film {
		return notTaken("holds no film; if it is a sound (WMA), convert it to MP3")
	}
	return nil
}
