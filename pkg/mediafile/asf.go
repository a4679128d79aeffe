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
)

// measureASF reads the objects within the header object. The length is in
// units of 100 ns, and includes the preroll, which is in milliseconds.
func measureASF(file io.ReaderAt, info *Info) {
	at := int64(30)
	for n := 0; n < maxBoxes && at+24 <= info.Size; n++ {
		b := readAt(file, at, 96)
		if len(b) < 24 {
			return
		}
		size := binary.LittleEndian.Uint64(b[16:])
		if size < 24 || size > uint64(info.Size-at) {
			return
		}
		switch {
		case bytes.Equal(b[:16], asfFile) && len(b) >= 88:
			length, preroll := binary.LittleEndian.Uint64(b[64:]), binary.LittleEndian.Uint64(b[80:])
			info.Duration = float64(length)/1e7 - float64(preroll)/1e3
		case bytes.Equal(b[:16], asfStream) && len(b) >= 86 && bytes.Equal(b[24:40], asfVideo):
			width, height := binary.LittleEndian.Uint32(b[78:]), binary.LittleEndian.Uint32(b[82:])
			if width < 1<<16 && height < 1<<16 {
				info.Width, info.Height = int(width), int(height)
			}
		}
		at += int64(size)
	}
}
