package mediafile

import (
	"bytes"
	"encoding/binary"

	"github.com/bep/imagemeta"
)

// exifName stands before the Exif of a JPEG, and by mistake before some of
// others.
var exifName = []byte("Exif\x00\x00")

// mostExif is how much Exif is looked at; more does not fit into a JPEG.
const mostExif = 1 << 16

// orientation is how a picture lies according to its Exif, 1 to 8; 0 = that is
// not told.
func orientation(exif []byte) int {
	turn := 0
	_, err := imagemeta.Decode(imagemeta.Options{
		R:               bytes.NewReader(bytes.TrimPrefix(exif, exifName)),
		ImageFormat:     imagemeta.TIFF,
		Sources:         imagemeta.EXIF,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool { return tag.Namespace == "IFD0" && tag.Tag == "Orientation" },
		HandleTag: func(tag imagemeta.TagInfo) error {
			if value, ok := tag.Value.(uint16); ok && turn == 0 {
				turn = int(value)
			}
			return imagemeta.ErrStopWalking
		},
	})
	if err != nil && turn == 0 || turn < 1 || turn > 8 {
		return 0
	}
	return turn
}

// upright is the Exif that says how a picture lies, and nothing else.
func exifOf(turn int) []byte {
	exif := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00")
	exif = binary.LittleEndian.AppendUint16(exif, uint16(turn))
	return append(exif, 0, 0, 0, 0, 0, 0) // the rest of the value, and no further directory
}
