package mediafile

import (
	"encoding/binary"
	"io"
)

// chunks visits the chunks of a RIFF file between two places, until visit
// returns false. size is cut at the end: recorders that were stopped leave
// sizes that are too great.
func chunks(file io.ReaderAt, at, end int64, visit func(kind string, body, size int64) bool) {
	for n := 0; at+8 <= end && n < maxBoxes; n++ {
		head := readAt(file, at, 8)
		if len(head) < 8 {
			return
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		if !visit(string(head[:4]), at+8, min(size, end-at-8)) {
			return
		}
		at += 8 + size + size%2
	}
}

func measureWAV(file io.ReaderAt, info *Info) {
	var bytesPerSecond uint32
	chunks(file, 12, info.Size, func(kind string, body, size int64) bool {
		switch kind {
		case "fmt ":
			if b := readAt(file, body, 12); len(b) == 12 {
				bytesPerSecond = binary.LittleEndian.Uint32(b[8:])
			}
		case "data":
			if bytesPerSecond > 0 {
				info.Duration = float64(size) / float64(bytesPerSecond)
			}
			return false
		}
		return true
	})
}

// measureAVI reads the main header, which is the first chunk of the first
// list.
func measureAVI(file io.ReaderAt, info *Info) {
	b := readAt(file, 24, 48)
	if len(b) < 48 || string(b[:4]) != "avih" {
		return
	}
	b = b[8:]
	microseconds, frames := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[16:])
	info.Duration = float64(microseconds) * float64(frames) / 1e6
	width, height := binary.LittleEndian.Uint32(b[32:]), binary.LittleEndian.Uint32(b[36:])
	if width < 1<<16 && height < 1<<16 {
		info.Width, info.Height = int(width), int(height)
	}
}
