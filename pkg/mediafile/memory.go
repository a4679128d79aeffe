package mediafile

import (
	"image/color"
	"io"
)

// memoryOf is how many half bytes the decoders of Go need for a pixel.
func memoryOf(file io.ReaderAt, info *Info, model color.Model) int64 {
	switch info.Format {
	case JPEG:
		return readJPEG(file, info.Size).memory
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
