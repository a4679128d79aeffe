package mediafile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/mediafile"
)

// frames are frames of an MP3 without sound. rate is the index of the bitrate,
// version that of MPEG: 3 = 1, 2 = 2, 0 = 2.5.
func frames(n int, version, rate byte, size int) []byte {
	frame := make([]byte, size)
	copy(frame, []byte{0xff, 0xe3 | version<<3, rate << 4, 0xc0})
	return bytes.Repeat(frame, n)
}

// id3 is a tag with a body.
func id3(body []byte) []byte {
	n := len(body)
	return append([]byte{'I', 'D', '3', 4, 0, 0, byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)}, body...)
}

// ape is a tag of APEv2 with a footer, and a header if wanted.
func ape(body []byte, header bool) []byte {
	mark := func(flags byte) []byte {
		b := binary.LittleEndian.AppendUint32([]byte("APETAGEX\xd0\x07\x00\x00"), uint32(len(body)+32))
		b = append(b, 1, 0, 0, 0, 0, 0, 0, flags)
		return append(b, make([]byte, 8)...)
	}
	if header {
		return append(append(mark(0xa0), body...), mark(0x80)...)
	}
	return append(bytes.Clone(body), mark(0)...)
}

// TestLengthOfMP3: tags of every kind on either side, every rate, and what else
// stands around the sound.
func TestLengthOfMP3(t *testing.T) {
	t.Parallel()
	sound := frames(383, 3, 9, 417) // 10 s at 128 kbit/s
	looks := frames(40, 3, 9, 417)  // what a cover may hold
	id3v1 := append([]byte("TAG"), make([]byte, 125)...)
	more := append([]byte("TAG+"), make([]byte, 223)...)
	lyrics := []byte("LYRICSBEGIN" + strings.Repeat("la", 500) + fmt.Sprintf("%06d", 11+1000) + "LYRICS200")
	footed := id3(looks)
	footed[5] = 0x10
	footed = append(footed, append([]byte("3DI"), footed[3:10]...)...)
	xing := append(frames(1, 3, 2, 104), sound...)
	copy(xing[4+17:], "Xing\x00\x00\x00\x01\x7f\xff\xff\xff") // it counts wrong
	vbri := bytes.Clone(xing)
	copy(vbri[4+17:], make([]byte, 12))
	copy(vbri[36:], "VBRI")
	for name, test := range map[string]struct {
		parts   [][]byte
		seconds float64
	}{
		"alone":                     {[][]byte{sound}, 10},
		"a tag with a cover":        {[][]byte{id3(looks), sound}, 10},
		"three tags":                {[][]byte{id3(nil), id3(looks), id3([]byte("x")), sound}, 10},
		"a tag and filling":         {[][]byte{id3([]byte("x")), make([]byte, 70_000), sound}, 10},
		"ID3v1":                     {[][]byte{sound, id3v1}, 10},
		"ID3v1 and what extends it": {[][]byte{sound, more, id3v1}, 10},
		"APE":                       {[][]byte{sound, ape(looks, false)}, 10},
		"APE with a header, ID3v1":  {[][]byte{sound, ape(looks, true), id3v1}, 10},
		"APE in front":              {[][]byte{ape(looks, true), sound}, 10},
		"lyrics, ID3v1":             {[][]byte{sound, lyrics, id3v1}, 10},
		"ID3v2 behind":              {[][]byte{sound, footed}, 10},
		"the rest of a frame":       {[][]byte{bytes.Repeat([]byte{0xaa}, 300), sound}, 10},
		"zeros around":              {[][]byte{make([]byte, 3000), sound, make([]byte, 5000)}, 10},
		"a page behind":             {[][]byte{sound, []byte("<html>" + strings.Repeat("\xff\xfb\x90\x00 and words ", 50) + "</html>")}, 10},
		"junk in the middle":        {[][]byte{frames(190, 3, 9, 417), []byte(strings.Repeat("not a sound ", 400)), frames(193, 3, 9, 417)}, 10},
		"a table that counts wrong": {[][]byte{xing}, 10},
		"another table":             {[][]byte{vbri}, 10},
		"MPEG 2":                    {[][]byte{frames(383, 2, 8, 208)}, 10},
		"MPEG 2.5":                  {[][]byte{frames(191, 0, 2, 104)}, 10},
		"a rate that varies":        {[][]byte{frames(100, 3, 1, 104), frames(183, 3, 14, 1044), frames(100, 3, 9, 417)}, 10},
		"a rate that varies, a tag": {[][]byte{id3(looks), frames(20, 3, 1, 104), frames(363, 3, 14, 1044), ape(looks, true)}, 10},
		"four frames":               {[][]byte{frames(4, 3, 9, 417)}, 0.1045},
	} {
		info, err := measure(t, bytes.Join(test.parts, nil))
		if err != nil || info.Format != mediafile.MP3 || math.Abs(info.Duration-test.seconds) > test.seconds*0.008 {
			t.Errorf("%s: %+v, %v; want %g s", name, info, err, test.seconds)
		}
	}
}

// wavFile is a WAV of chunks; the size of the last is as told, whatever it has.
func wavFile(mark string, chunks ...[]byte) []byte {
	return append(append([]byte(mark+"\x00\x00\x00\x00WAVE"), bytes.Join(chunks, nil)...), 0)[:12+len(bytes.Join(chunks, nil))]
}

func chunk(kind string, size uint32, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte(kind), size), body...)
}

// format is the chunk of a WAV that says what sound it holds.
func format(code, channels uint16, rate, byteRate uint32, block, bits uint16, more ...byte) []byte {
	var b bytes.Buffer
	for _, value := range []any{code, channels, rate, byteRate, block, bits} {
		_ = binary.Write(&b, binary.LittleEndian, value)
	}
	b.Write(more)
	return chunk("fmt ", uint32(b.Len()), b.Bytes())
}

// TestLengthOfWAV: headers that are wrong, and recorders that were stopped.
func TestLengthOfWAV(t *testing.T) {
	t.Parallel()
	const second = 8000 * 2 * 2
	data := bytes.Repeat([]byte{0xc3}, 3*second)
	pcm := format(1, 2, 8000, second, 4, 16)
	extensible := format(0xfffe, 2, 8000, 7, 4, 16, append([]byte{22, 0, 16, 0, 3, 0, 0, 0, 1, 0}, make([]byte, 14)...)...)
	long := append(make([]byte, 8), binary.LittleEndian.AppendUint64(nil, second)...)
	for name, test := range map[string]struct {
		content []byte
		seconds float64
	}{
		"right":                        {wavFile("RIFF", pcm, chunk("data", 3*second, data)), 3},
		"a rate of bytes that is none": {wavFile("RIFF", format(1, 2, 8000, 0, 4, 16), chunk("data", 3*second, data)), 3},
		"a block that is wrong":        {wavFile("RIFF", format(1, 2, 8000, second, 1, 16), chunk("data", 3*second, data)), 3},
		"a note behind":                {wavFile("RIFF", pcm, chunk("data", second, data[:second]), chunk("LIST", second, data[:second])), 1},
		"a note in front":              {wavFile("RIFF", chunk("LIST", 3, []byte("abc\x00")), pcm, chunk("data", second, data[:second])), 1},
		"stopped, no size":             {wavFile("RIFF", pcm, chunk("data", 0, data)), 3},
		"stopped, the greatest size":   {wavFile("RIFF", pcm, chunk("data", math.MaxUint32, data)), 3},
		"cut":                          {wavFile("RIFF", pcm, chunk("data", 9*second, data)), 3},
		"really empty":                 {wavFile("RIFF", pcm, chunk("data", 0, nil), chunk("LIST", 4, []byte("abcd"))), 0},
		"extensible":                   {wavFile("RIFF", extensible, chunk("data", 3*second, data)), 3},
		"A-law":                        {wavFile("RIFF", format(6, 1, 8000, 8000, 1, 8), chunk("data", 16000, data[:16000])), 2},
		"of floats":                    {wavFile("RIFF", format(3, 1, 8000, 32000, 4, 32), chunk("data", 32000, data[:32000])), 1},
		"packed, with its samples":     {wavFile("RIFF", format(0x11, 1, 8000, 9, 256, 4), chunk("fact", 4, []byte{0x80, 0x3e, 0, 0}), chunk("data", 8110, data[:8110])), 2},
		"packed, and nothing told":     {wavFile("RIFF", format(0x11, 1, 8000, 9, 256, 4), chunk("data", 8110, data[:8110])), 0},
		"RF64":                         {wavFile("RF64", chunk("ds64", 16, long), pcm, chunk("data", math.MaxUint32, data)), 1},
	} {
		info, err := measure(t, test.content)
		if err != nil || info.Format != mediafile.WAV || info.Duration != test.seconds {
			t.Errorf("%s: %+v, %v; want %g s", name, info, err, test.seconds)
		}
	}
}

// oggPacket is one page with one packet, or more by their sizes.
type oggPacket struct {
	serial   uint32
	flags    byte
	position uint64
	data     []byte
	lacing   []byte // nil = data is one packet
}

func ogg(packets ...oggPacket) []byte {
	var b bytes.Buffer
	for number, p := range packets {
		if p.lacing == nil {
			for n := len(p.data); ; n -= 255 {
				p.lacing = append(p.lacing, byte(min(n, 255)))
				if n < 255 {
					break
				}
			}
		}
		b.WriteString("OggS\x00")
		b.WriteByte(p.flags)
		for _, value := range []any{p.position, p.serial, uint32(number), uint32(0), byte(len(p.lacing))} {
			_ = binary.Write(&b, binary.LittleEndian, value)
		}
		b.Write(p.lacing)
		b.Write(p.data)
	}
	return b.Bytes()
}

// opus are the pages of a sound whose positions begin at one, with so many
// seconds.
func opus(serial uint32, start uint64, seconds int) []oggPacket {
	pages := []oggPacket{
		{serial: serial, flags: 2, data: []byte("OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00")}, // 312 are skipped
		{serial: serial, data: []byte("OpusTags\x00\x00\x00\x00\x00\x00\x00\x00")},
	}
	for n := range seconds {
		lacing := bytes.Repeat([]byte{2}, 50) // 20 ms each
		pages = append(pages, oggPacket{serial: serial, position: start + uint64(n+1)*48000, data: bytes.Repeat([]byte{0x78, 0}, 50), lacing: lacing})
	}
	return pages
}

func vorbis(start uint64, seconds int) []oggPacket {
	head := append([]byte("\x01vorbis\x00\x00\x00\x00\x02\x00\x7d\x00\x00"), make([]byte, 12)...) // 32 kHz
	pages := []oggPacket{{serial: 9, flags: 2, data: append(head, 0xb8, 1)}, {serial: 9, data: []byte("\x03vorbis\x05vorbis"), lacing: []byte{7, 7}}}
	for n := range seconds {
		pages = append(pages, oggPacket{serial: 9, position: start + uint64(n+1)*32768, data: bytes.Repeat([]byte{2}, 32), lacing: bytes.Repeat([]byte{1}, 32)})
	}
	return pages
}

// TestLengthOfOgg: streams that begin late, follow each other, and run beside
// each other, of every codec.
func TestLengthOfOgg(t *testing.T) {
	t.Parallel()
	const hour = 3600 * 48000
	flac := append([]byte("\x7fFLAC\x01\x00\x00\x01fLaC\x00\x00\x00\x22\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00\x0a\xc4\x42\xf0"), make([]byte, 30)...) // 44.1 kHz
	speex := make([]byte, 80)
	copy(speex, "Speex   ")
	binary.LittleEndian.PutUint32(speex[36:], 16000)
	binary.LittleEndian.PutUint32(speex[56:], 320)
	unended := append(opus(1, 312, 10), oggPacket{serial: 1, flags: 4, position: math.MaxUint64, data: []byte{0x78}, lacing: []byte{255}})
	skeleton := oggPacket{serial: 77, flags: 2, data: []byte("fishead\x00\x03\x00\x00\x00")}
	one, other := opus(1, 312, 4), opus(2, 312, 10)
	two := slices.Concat(one[:1], other[:1], one[1:], other[1:])
	cut := ogg(opus(1, 312, 10)...)
	for name, test := range map[string]struct {
		content []byte
		seconds float64
	}{
		"from the beginning":            {ogg(opus(1, 312, 10)...), 10},
		"from after an hour":            {ogg(opus(1, hour, 10)...), 10},
		"with an end that does not":     {ogg(unended...), 10},
		"one after the other":           {ogg(append(opus(1, 312, 4), opus(2, 312, 6)...)...), 10},
		"broadcasts after each other":   {ogg(append(opus(1, hour, 4), opus(2, 2*hour, 6)...)...), 10},
		"beside each other":             {ogg(two...), 10},
		"beside an index":               {ogg(append([]oggPacket{skeleton}, opus(1, 312, 10)...)...), 10},
		"with bytes between":            {append(append(bytes.Clone(cut[:len(cut)/2]), "lost bytes OggX"...), cut[len(cut)/2:]...), 10},
		"Vorbis":                        {ogg(vorbis(0, 10)...), 10.24},
		"Vorbis from after an hour":     {ogg(vorbis(3600*32768, 10)...), 10.24},
		"FLAC":                          {ogg(oggPacket{serial: 1, flags: 2, data: flac}, oggPacket{serial: 1, data: []byte("\x04\x00")}, oggPacket{serial: 1, position: 4096, data: make([]byte, 9)}, oggPacket{serial: 1, position: 441000, data: make([]byte, 9)}), 10},
		"Speex":                         {ogg(oggPacket{serial: 1, flags: 2, data: speex}, oggPacket{serial: 1, data: []byte("x")}, oggPacket{serial: 1, position: 320, data: []byte("y")}, oggPacket{serial: 1, position: 160000, data: []byte("z")}), 10},
		"a sound that has not begun":    {ogg(opus(1, 312, 0)...), 0},
		"one page, trimmed at its end":  {ogg(append(opus(1, 0, 0), oggPacket{serial: 1, flags: 4, position: 24312, data: bytes.Repeat([]byte{0x78, 0}, 50), lacing: bytes.Repeat([]byte{2}, 50)})...), 0.5},
		"a position before its samples": {ogg(append(opus(1, 0, 0), oggPacket{serial: 1, position: 100, data: []byte{0x78}})...), 0},
	} {
		info, err := measure(t, test.content)
		if err != nil || info.Format != mediafile.OGG || math.Abs(info.Duration-test.seconds) > 0.011 {
			t.Errorf("%s: %+v, %v; want %g s", name, info, err, test.seconds)
		}
	}
}
