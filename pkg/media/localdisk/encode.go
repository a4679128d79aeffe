package localdisk

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
)

// encode writes a drawn picture, as a JPEG where it is opaque and as a PNG where
// it is not, and returns the extension of its name. The encoders of Go know no
// profiles: it is put in where it belongs.
func encode(drawn image.Image, profile []byte, quality int) (extension string, write func(io.Writer) error) {
	if o, ok := drawn.(interface{ Opaque() bool }); ok && o.Opaque() {
		return ".jpg", func(w io.Writer) error {
			return jpeg.Encode(&inserting{w, jpegHead, jpegProfile(profile)}, drawn, &jpeg.Options{Quality: quality})
		}
	}
	return ".png", func(w io.Writer) error {
		return png.Encode(&inserting{w, pngHead, pngProfile(profile)}, drawn)
	}
}

// Behind which of their bytes files have a profile.
const (
	jpegHead = 2      // the mark of the beginning
	pngHead  = 8 + 25 // the mark, and the header
)

// inserting writes more bytes when a number of others has passed.
type inserting struct {
	io.Writer
	left int // until then
	more []byte
}

// Write implements io.Writer.
func (i *inserting) Write(b []byte) (int, error) {
	if i.more == nil || len(b) < i.left {
		i.left -= len(b)
		return i.Writer.Write(b)
	}
	more, at := i.more, i.left
	i.more = nil
	n, err := i.Writer.Write(b[:at])
	if err == nil {
		_, err = i.Writer.Write(more)
	}
	if err != nil {
		return n, err
	}
	rest, err := i.Writer.Write(b[at:])
	return n + rest, err
}

// jpegProfile is a profile in segments, of which none holds more than 64 KiB
// (ICC.1, annex B.4).
func jpegProfile(profile []byte) []byte {
	const name, most = "ICC_PROFILE\x00", 65519
	pieces := (len(profile) + most - 1) / most
	var b []byte
	for i := range pieces {
		piece := profile[i*most : min((i+1)*most, len(profile))]
		b = binary.BigEndian.AppendUint16(append(b, 0xff, 0xe2), uint16(2+len(name)+2+len(piece)))
		b = append(append(append(b, name...), byte(i+1), byte(pieces)), piece...)
	}
	return b
}

// pngProfile is a profile in a chunk: a name, the method, the packed data.
func pngProfile(profile []byte) []byte {
	if profile == nil {
		return nil
	}
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, _ = w.Write(profile) // memory takes all
	_ = w.Close()
	body := append([]byte("iCCPicc\x00\x00"), packed.Bytes()...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)-4))
	return binary.BigEndian.AppendUint32(append(chunk, body...), crc32.ChecksumIEEE(body))
}
