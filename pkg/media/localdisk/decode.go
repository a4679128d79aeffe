package localdisk

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"

	rarejpeg "github.com/kovidgoyal/imaging/jpeg"
	"golang.org/x/image/webp"

	"github.com/etrainer/backend/pkg/mediafile"
)

// decode reads a picture of one frame.
func decode(content []byte, format mediafile.Format) (image.Image, error) {
	switch reader := bytes.NewReader(content); format {
	case mediafile.GIF:
		return gif.Decode(reader)
	case mediafile.WebP:
		return webp.Decode(reader)
	case mediafile.PNG:
		return png.Decode(reader)
	default:
		picture, err := jpeg.Decode(reader)
		if _, unsupported := errors.AsType[jpeg.UnsupportedError](err); unsupported {
			return decodeUnusual(content)
		}
		return picture, err
	}
}

// decodeUnusual reads a JPEG that saves on its colours in a way that Go's own
// decoder does not know. A defect of the other decoder is no end of this process.
func decodeUnusual(content []byte) (picture image.Image, err error) {
	defer func() {
		if defect := recover(); defect != nil {
			picture, err = nil, fmt.Errorf("decode an unusual JPEG: %v", defect)
		}
	}()
	return rarejpeg.Decode(bytes.NewReader(content))
}
