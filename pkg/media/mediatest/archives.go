package mediatest

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// fixCRC makes the checksum of a PNG chunk right: its kind, its data, its
// checksum.
func fixCRC(chunk []byte) {
	last := len(chunk) - 4
	binary.BigEndian.PutUint32(chunk[last:], crc32.ChecksumIEEE(chunk[:last]))
}

// webp is a picture of one pixel, lossy.
func webp() []byte {
	b, err := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	if err != nil {
		panic(err)
	}
	return b
}

func docx() []byte {
	return encode(func(b *bytes.Buffer) error {
		archive := zip.NewWriter(b)
		for _, name := range []string{"[Content_Types].xml", "_rels/.rels", "word/document.xml"} {
			w, err := archive.Create(name)
			if err != nil {
				return err
			}
			if _, err := w.Write([]byte("<?xml version=\"1.0\"?><x/>")); err != nil {
				return err
			}
		}
		return archive.Close()
	})
}

// doc is an OLE file whose root has the class of Word documents.
func doc() []byte {
	b := make([]byte, 2048)
	copy(b, []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1})
	binary.LittleEndian.PutUint16(b[26:], 3)
	binary.LittleEndian.PutUint16(b[30:], 9)
	binary.LittleEndian.PutUint32(b[48:], 0)
	copy(b[512+80:], []byte{0x06, 0x09, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46})
	return b
}
