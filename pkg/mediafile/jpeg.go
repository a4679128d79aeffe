package mediafile

import (
	"encoding/binary"
	"io"
)

// jpegHeader is what stands before the picture in a JPEG.
type jpegHeader struct {
	memory int64 // as of memoryOf
	turn   int   // as Info.Turn
}

// mostOfJPEG is the memory of three colours without saving, and of all
// coefficients.
const mostOfJPEG = 2 * (3 + 3*4)

// maxSegments bounds the walk to the frame header.
const maxSegments = 1024

// readJPEG walks over the segments up to the frame header. That tells how many
// samples there are of a colour, and whether the picture comes in passes, for
// which the decoder keeps the coefficients, four bytes each.
func readJPEG(file io.ReaderAt, size int64) jpegHeader {
	header := jpegHeader{memory: mostOfJPEG, turn: 1}
	at := int64(2)
	for range maxSegments {
		head := readAt(file, at, 4)
		if len(head) < 4 || head[0] != 0xff || at > size {
			return header
		}
		length := int(binary.BigEndian.Uint16(head[2:]))
		switch marker := head[1]; marker {
		case 0xff: // padding
			at++
			continue
		case 0xc0, 0xc1, 0xc2:
			header.memory = frameMemory(readAt(file, at+4, 6+3*4), marker == 0xc2)
			return header
		case 0xe1:
			if turn := exifTurn(readAt(file, at+4, max(length-2, 0))); turn != 0 {
				header.turn = turn
			}
		}
		at += 2 + int64(length)
	}
	return header
}

// The parts of an Exif segment (TIFF 6).
const (
	exifName        = "Exif\x00\x00"
	tagOrientation  = 0x0112
	directoryEntry  = 12
	directoryHeader = 2
)

// exifTurn is the orientation, 1 to 8; 0 = it is not told.
func exifTurn(segment []byte) int {
	if len(segment) < len(exifName)+8 || string(segment[:len(exifName)]) != exifName {
		return 0
	}
	tiff := segment[len(exifName):]
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+directoryHeader > int64(len(tiff)) {
		return 0
	}
	entries := tiff[at+directoryHeader:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < directoryEntry {
			return 0
		}
		if order.Uint16(entries) == tagOrientation {
			if turn := int(order.Uint16(entries[8:])); turn >= 1 && turn <= 8 {
				return turn
			}
			return 0
		}
		entries = entries[directoryEntry:]
	}
	return 0
}
