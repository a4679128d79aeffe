package mediatest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"

	"github.com/etrainer/backend/pkg/mediafile"
)

// Sample is a small file of a format, or its beginning, with what Measure must
// find in it.
func Sample(format mediafile.Format) []byte {
	switch format {
	case mediafile.PNG:
		return PNG(40, 30)
	case mediafile.JPEG:
		return JPEG(40, 30)
	case mediafile.GIF:
		return encode(func(b *bytes.Buffer) error { return gif.Encode(b, picture(40, 30), nil) })
	case mediafile.WebP:
		return webp()
	case mediafile.WAV:
		return WAV(2)
	case mediafile.MP3:
		return mp3()
	case mediafile.OGG:
		return ogg()
	case mediafile.M4A:
		return isoFile("M4A ", "soun", 0)
	case mediafile.MP4:
		return isoFile("isom", "vide", 0)
	case mediafile.MOV:
		return isoFile("qt  ", "vide", 0)
	case mediafile.AVI:
		return avi()
	case mediafile.WMV:
		return wmv()
	case mediafile.PDF:
		return []byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
	case mediafile.DOC:
		return doc()
	case mediafile.DOCX:
		return docx()
	default:
		return []byte("Xin chào. This is a text, with commas, and lines.\nAnother line.\n")
	}
}

func encode(write func(*bytes.Buffer) error) []byte {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func picture(width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(i*7 | 1)
	}
	for x := range width {
		for y := range height {
			m.SetRGBA(x, y, color.RGBA{R: byte(x * 5), G: byte(y * 5), B: 90, A: 255})
		}
	}
	return m
}

// PNG is a picture of a size.
func PNG(width, height int) []byte {
	return encode(func(b *bytes.Buffer) error { return png.Encode(b, picture(width, height)) })
}

// JPEG is a picture of a size.
func JPEG(width, height int) []byte {
	return encode(func(b *bytes.Buffer) error { return jpeg.Encode(b, picture(width, height), nil) })
}

// FlatJPEG is a grey picture, without saving on its colours, of a size in
// multiples of 8. Its file is small, and what is decoded of it is not.
func FlatJPEG(width, height int) []byte {
	b := JPEG(8, 8)
	frame, scan := bytes.Index(b, []byte{0xff, 0xc0}), bytes.Index(b, []byte{0xff, 0xda})
	binary.BigEndian.PutUint16(b[frame+5:], uint16(height))
	binary.BigEndian.PutUint16(b[frame+7:], uint16(width))
	b[frame+11] = 0x11 // one sample of the first colour, too
	b = b[:scan+14]
	// Fourteen bits are a block of each colour: no difference, and no more.
	const block = 0b00_1010_00_00_00_00
	var bits, have uint32
	for range width / 8 * (height / 8) {
		bits, have = bits<<14|block, have+14
		for ; have >= 8; have -= 8 {
			b = append(b, byte(bits>>(have-8)))
		}
	}
	b = append(b, byte(bits<<(8-have)|0xff>>have))
	return append(b, 0xff, 0xd9)
}

// Turned is a JPEG that says how it lies in the file, as Exif counts.
func Turned(jpg []byte, turn uint16) []byte {
	exif := []byte("\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00")
	exif = binary.LittleEndian.AppendUint16(exif, turn)
	exif = append(exif, 0, 0, 0, 0, 0, 0) // the rest of the value, and no further directory
	return bytes.Join([][]byte{jpg[:2], exif, jpg[2:]}, nil)
}

// ClaimingPNG is a PNG of a few bytes that claims to have a size.
func ClaimingPNG(width, height uint32) []byte {
	b := PNG(1, 1)
	binary.BigEndian.PutUint32(b[16:], width)
	binary.BigEndian.PutUint32(b[20:], height)
	fixCRC(b[12:33])
	return b
}

// WAV is silence of a number of seconds: 8 kHz, mono, 8 bits.
func WAV(seconds int) []byte {
	var b bytes.Buffer
	data := 8000 * seconds
	b.WriteString("RIFF")
	le32(&b, uint32(36+data))
	b.WriteString("WAVEfmt ")
	le32(&b, 16)
	le16(&b, 1)
	le16(&b, 1)
	le32(&b, 8000)
	le32(&b, 8000)
	le16(&b, 1)
	le16(&b, 8)
	b.WriteString("data")
	le32(&b, uint32(data))
	b.Write(bytes.Repeat([]byte{128}, data))
	return b.Bytes()
}

// mp3 is 100 frames of 128 kbit/s at 44.1 kHz.
func mp3() []byte {
	frame := make([]byte, 417)
	copy(frame, []byte{0xff, 0xfb, 0x90, 0x00})
	return bytes.Repeat(frame, 100)
}

// ogg is Opus that says it lasts three seconds.
func ogg() []byte {
	var b bytes.Buffer
	page := func(position uint64, data []byte) {
		b.WriteString("OggS\x00\x02")
		le32(&b, uint32(position))
		le32(&b, uint32(position>>32))
		b.Write(make([]byte, 12))
		b.WriteByte(1)
		b.WriteByte(byte(len(data)))
		b.Write(data)
	}
	page(0, append([]byte("OpusHead\x01\x01"), 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0))
	page(3*48000, make([]byte, 40))
	return b.Bytes()
}

// isoFile is an MP4, MOV or M4A of 4.5 seconds, 320 by 240, whose index
// follows its data; padding = bytes of data.
func isoFile(brand, handler string, padding int) []byte {
	var b bytes.Buffer
	b.Write(box("ftyp", []byte(brand+"\x00\x00\x02\x00"+brand)))
	b.Write(box("mdat", make([]byte, padding)))
	b.Write(Moov(handler))
	return b.Bytes()
}

// Moov is the index of an MP4 of 4.5 seconds, 320 by 240.
func Moov(handler string) []byte {
	mvhd := make([]byte, 100)
	binary.BigEndian.PutUint32(mvhd[12:], 1000)
	binary.BigEndian.PutUint32(mvhd[16:], 4500)
	tkhd := make([]byte, 84)
	binary.BigEndian.PutUint32(tkhd[40:], 1<<16)
	if handler == "vide" {
		binary.BigEndian.PutUint32(tkhd[76:], 320<<16)
		binary.BigEndian.PutUint32(tkhd[80:], 240<<16)
	}
	hdlr := append(make([]byte, 8), []byte(handler+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")...)
	track := append(box("tkhd", tkhd), box("mdia", box("hdlr", hdlr))...)
	return box("moov", append(box("mvhd", mvhd), box("trak", track)...))
}

// FileType is the beginning of an MP4.
func FileType() []byte { return box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2mp41")) }

func box(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return append(append(b, kind...), body...)
}

// avi is two seconds of pictures in JPEG, 64 by 48, 25 of them a second. Every
// player shows it.
func avi() []byte {
	const frames = 50
	picture := JPEG(64, 48)
	if len(picture)%2 == 1 {
		picture = append(picture, 0)
	}
	words := func(values ...uint32) []byte {
		var b bytes.Buffer
		for _, value := range values {
			le32(&b, value)
		}
		return b.Bytes()
	}
	chunk := func(kind string, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		return append(append([]byte(kind), words(uint32(len(body)))...), body...)
	}
	list := func(kind string, parts ...[]byte) []byte {
		return chunk("LIST", []byte(kind), bytes.Join(parts, nil))
	}
	most := uint32(len(picture))
	stream := list("strl",
		chunk("strh", []byte("vidsMJPG"), words(0, 0, 0, 1, 25, 0, frames, most, 0xffffffff, 0, 0, 48<<16|64)),
		chunk("strf", words(40, 64, 48, 24<<16|1), []byte("MJPG"), words(64*48*3, 0, 0, 0, 0)))
	header := list("hdrl", chunk("avih", words(40000, 0, 0, 0x10, frames, 0, 1, most, 64, 48, 0, 0, 0, 0)), stream)
	var data, index [][]byte
	for i := range uint32(frames) {
		data = append(data, chunk("00dc", picture))
		index = append(index, []byte("00dc"), words(0x10, 4+i*(most+8), most))
	}
	return chunk("RIFF", []byte("AVI "), header, list("movi", data...), chunk("idx1", index...))
}

// wmv is the header of 2.5 seconds, 64 by 48.
func wmv() []byte {
	var b bytes.Buffer
	b.Write([]byte{0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6, 0xD9, 0x00, 0xAA, 0x00, 0x62, 0xCE, 0x6C})
	b.Write(make([]byte, 14))
	file := make([]byte, 104)
	copy(file, []byte{0xA1, 0xDC, 0xAB, 0x8C, 0x47, 0xA9, 0xCF, 0x11, 0x8E, 0xE4, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65})
	binary.LittleEndian.PutUint64(file[16:], 104)
	binary.LittleEndian.PutUint64(file[64:], 35_000_000)
	binary.LittleEndian.PutUint64(file[80:], 1000)
	b.Write(file)
	stream := make([]byte, 100)
	copy(stream, []byte{0x91, 0x07, 0xDC, 0xB7, 0xB7, 0xA9, 0xCF, 0x11, 0x8E, 0xE6, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65})
	binary.LittleEndian.PutUint64(stream[16:], 100)
	copy(stream[24:], []byte{0xC0, 0xEF, 0x19, 0xBC, 0x4D, 0x5B, 0xCF, 0x11, 0xA8, 0xFD, 0x00, 0x80, 0x5F, 0x5C, 0x44, 0x2B})
	binary.LittleEndian.PutUint32(stream[78:], 64)
	binary.LittleEndian.PutUint32(stream[82:], 48)
	b.Write(stream)
	return b.Bytes()
}

func le16(b *bytes.Buffer, value uint16) { b.Write(binary.LittleEndian.AppendUint16(nil, value)) }
func le32(b *bytes.Buffer, value uint32) { b.Write(binary.LittleEndian.AppendUint32(nil, value)) }

// Near compares durations to a millisecond.
func Near(a, b float64) bool { return math.Abs(a-b) < 0.0015 }

// Filling begins the data of an MP4: a box that takes size bytes, and so many
// of its zeros.
func Filling(zeros, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	return append(append(b, "mdat"...), make([]byte, zeros)...)
}
