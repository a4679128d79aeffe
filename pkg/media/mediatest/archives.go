package mediatest

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"unicode/utf16"
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

// wordMain is the content type of a document of Word.
const wordMain = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"

// Entry is one file of an archive.
type Entry struct{ Name, Content string }

// Archive is a ZIP of entries, in their order.
func Archive(entries ...Entry) []byte {
	return encode(func(b *bytes.Buffer) error {
		archive := zip.NewWriter(b)
		for _, entry := range entries {
			w, err := archive.Create(entry.Name)
			if err != nil {
				return err
			}
			if _, err := w.Write([]byte(entry.Content)); err != nil {
				return err
			}
		}
		return archive.Close()
	})
}

// Contents is the list of contents of a document whose main part has a content
// type.
func Contents(mainType string) Entry {
	return Entry{"[Content_Types].xml", `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="` + mainType + `"/></Types>`}
}

func docx() []byte {
	return Archive(Contents(wordMain), Entry{"_rels/.rels", `<?xml version="1.0"?><Relationships/>`}, Entry{"word/document.xml", `<?xml version="1.0"?><document/>`})
}

func doc() []byte { return Compound("WordDocument") }

// Compound is a compound file with up to three empty streams.
func Compound(streams ...string) []byte {
	const sector, none, end, table = 512, 0xffffffff, 0xfffffffe, 0xfffffffd
	b := make([]byte, 4*sector)
	copy(b, []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1})
	for at, value := range map[int]uint16{24: 0x3e, 26: 3, 28: 0xfffe, 30: 9, 32: 6} {
		binary.LittleEndian.PutUint16(b[at:], value)
	}
	for at, value := range map[int]uint32{44: 1, 48: 1, 56: 4096, 60: end, 68: end} {
		binary.LittleEndian.PutUint32(b[at:], value)
	}
	for at := 80; at < 2*sector; at += 4 { // the free sectors
		binary.LittleEndian.PutUint32(b[at:], none)
	}
	binary.LittleEndian.PutUint32(b[76:], 0)
	binary.LittleEndian.PutUint32(b[sector:], table)
	binary.LittleEndian.PutUint32(b[sector+4:], end)
	for i, name := range append([]string{"Root Entry"}, streams...) {
		entry := b[2*sector+128*i:]
		for j, letter := range utf16.Encode([]rune(name)) {
			binary.LittleEndian.PutUint16(entry[2*j:], letter)
		}
		binary.LittleEndian.PutUint16(entry[64:], uint16(2*len(name)+2))
		entry[66], entry[67] = 2, 1
		next := uint32(i + 1)
		if i == len(streams) {
			next = none
		}
		binary.LittleEndian.PutUint32(entry[68:], none)
		binary.LittleEndian.PutUint32(entry[72:], next)
		binary.LittleEndian.PutUint32(entry[76:], none)
		binary.LittleEndian.PutUint32(entry[116:], end)
	}
	root := b[2*sector:]
	root[66] = 5
	binary.LittleEndian.PutUint32(root[72:], none)
	binary.LittleEndian.PutUint32(root[76:], 1)
	return b
}
