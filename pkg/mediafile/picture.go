package mediafile

import (
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// measurePicture reads the header of a picture, and how it lies.
func measurePicture(file io.ReaderAt, info *Info) error {
	parts, err := walkPicture(file, info.Size, info.Format, false)
	if err != nil {
		return err
	}
	width, height, memory, err := header(file, info, parts)
	if err != nil {
		return err
	}
	if width < 1 || height < 1 {
		return damaged("its header cannot be read")
	}
	if int64(width)*int64(height) > MaxPixels {
		return ErrTooLarge
	}
	info.Width, info.Height = width, height
	info.Memory = int64(width) * int64(height) * memory / 2
	info.Turn, info.Moves, info.Rare = parts.turn, parts.frames > 1, info.Format == JPEG && parts.frame.rare()
	if info.Sideways() {
		info.Width, info.Height = height, width
	}
	return nil
}

// header returns the size of the picture as it lies, and how many half bytes
// its decoder needs for a pixel.
func header(file io.ReaderAt, info *Info, parts *parts) (width, height int, memory int64, err error) {
	if info.Format == JPEG {
		return parts.frame.width, parts.frame.height, parts.frame.memory(), parts.frame.check()
	}
	decode := map[Format]func(io.Reader) (image.Config, error){PNG: png.DecodeConfig, GIF: gif.DecodeConfig, WebP: webp.DecodeConfig}[info.Format]
	config, err := decode(io.NewSectionReader(file, 0, info.Size))
	if err != nil {
		return 0, 0, 0, damaged("its header cannot be read")
	}
	return config.Width, config.Height, memoryOf(info.Format, config.ColorModel), nil
}

// memoryOf is how many half bytes the decoders of Go need for a pixel.
func memoryOf(format Format, model color.Model) int64 {
	switch format {
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
