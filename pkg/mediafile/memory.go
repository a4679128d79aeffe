package mediafile

import (
	"encoding/binary"
	"image/color"
	"io"
)

// memoryOf is how many half bytes the decoders of Go need for a pixel.
func memoryOf(file io.ReaderAt, info *Info, model color.Model) int64 {
	switch info.Format {
	case JPEG:
		return jpegMemory(file, info.Size)
	case GIF: // an index into a palette
		return 2 * 1
	case WebP: // four bytes, and the planes that they are made of
		return 2 * 8
	default: // a PNG that is interlaced has its passes beside it
		return 3 * bytesOf(model)
	}
}

func bytesOf(model color.Model) int64 {
	switch model {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.NRGBA64Model, color.RGBA64Model:
		return 8
	default:
		if _, ok := model.(color.Palette); ok {
			return 1
		}
		return 4
	}
}

// The most of a JPEG: three colours without saving, and all coefficients.
const mostOfJPEG = 2 * (3 + 3*4)

// maxSegments bounds the walk to the frame header.
const maxSegments = 1024

// jpegMemory looks at the frame header: how many samples there are of a colour,
// and whether the picture comes in passes, for which the decoder keeps the
// coefficients, four bytes each.
func jpegMemory(file io.ReaderAt, size int64) int64 {
	at := int64(2)
	for range maxSegments {
		head := readAt(file, at, 4)
		if len(head) < 4 || head[0] != 0xff || at > size {
			return mostOfJPEG
		}
		if head[1] == 0xff { // padding
			at++
			continue
		}
		if head[1] >= 0xc0 && head[1] <= 0xc2 {
			return frameMemory(readAt(file, at+4, 6+3*4), head[1] == 0xc2)
		}
		at += 2 + int64(binary.BigEndian.Uint16(head[2:]))
	}
	return mostOfJPEG
}

// frameMemory reads the sampling factors of up to four colours.
func frameMemory(frame []byte, passes bool) int64 {
	if len(frame) < 6 || len(frame) < 6+3*int(frame[5]) {
		return mostOfJPEG
	}
	samples, most := 0, 1
	for i := range int(frame[5]) {
		factors := frame[6+3*i+1]
		n := int(factors>>4) * int(factors&15)
		samples, most = samples+n, max(most, n)
	}
	halves := int64(2*samples+most-1) / int64(most)
	if passes {
		halves *= 1 + 4
	}
	return halves
}
