package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
)

// mp3Search is how far behind the tag the first frame is looked for.
const mp3Search = 64 << 10

// measureMP3 reads the number of frames from the Xing or VBRI header. Without
// one the rate is constant, and the length follows from the size.
func measureMP3(file io.ReaderAt, info *Info) {
	start := tagSize(readAt(file, 0, 10))
	b := readAt(file, start, mp3Search)
	for i := 0; i+4 <= len(b); i++ {
		frame, ok := parseFrame(b[i:])
		if !ok || !frame.followed(b[i:]) {
			continue
		}
		perFrame := float64(frame.samples) / float64(frame.rate)
		if frames := frame.counted(b[i:]); frames > 0 {
			info.Duration = float64(frames) * perFrame
			return
		}
		info.Duration = float64(info.Size-start-int64(i)) * 8 / float64(frame.bitrate)
		return
	}
}

// tagSize is the length of an ID3v2 tag; its size has seven bits in a byte.
func tagSize(b []byte) int64 {
	if len(b) < 10 || string(b[:3]) != "ID3" {
		return 0
	}
	size := int64(10)
	for i, digit := range b[6:10] {
		size += int64(digit&0x7f) << (7 * (3 - i))
	}
	return size
}

// mp3Frame is the header of a frame of layer III.
type mp3Frame struct {
	version1      bool
	mono          bool
	rate, bitrate int // in a second
	samples, size int
}

var (
	bitrates1 = [16]int{1: 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	bitrates2 = [16]int{1: 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	rates     = [4]int{44100, 48000, 32000}
)

func parseFrame(b []byte) (mp3Frame, bool) {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 || b[1]>>1&3 != 1 {
		return mp3Frame{}, false
	}
	version := b[1] >> 3 & 3 // 0 = 2.5, 2 = 2, 3 = 1
	f := mp3Frame{version1: version == 3, mono: b[3]>>6 == 3, rate: rates[b[2]>>2&3], samples: 576}
	f.bitrate = bitrates2[b[2]>>4] * 1000
	switch version {
	case 0:
		f.rate /= 4
	case 2:
		f.rate /= 2
	case 3:
		f.bitrate, f.samples = bitrates1[b[2]>>4]*1000, 1152
	}
	if version == 1 || f.rate == 0 || f.bitrate == 0 {
		return mp3Frame{}, false
	}
	f.size = f.samples/8*f.bitrate/f.rate + int(b[2]>>1&1)
	return f, true
}

// followed reports whether another frame comes right after, or the end: four
// bytes alone look like a frame too often.
func (f mp3Frame) followed(b []byte) bool {
	if len(b) < f.size+4 {
		return true
	}
	_, ok := parseFrame(b[f.size:])
	return ok
}

// counted is the number of frames that the first one tells; 0 = it does not.
func (f mp3Frame) counted(b []byte) uint32 {
	side := 17
	switch {
	case f.version1 && !f.mono:
		side = 32
	case !f.version1 && f.mono:
		side = 9
	}
	if at := 4 + side; len(b) >= at+12 && (bytes.HasPrefix(b[at:], []byte("Xing")) || bytes.HasPrefix(b[at:], []byte("Info"))) && b[at+7]&1 == 1 {
		return binary.BigEndian.Uint32(b[at+8:])
	}
	if len(b) >= 54 && bytes.HasPrefix(b[36:], []byte("VBRI")) {
		return binary.BigEndian.Uint32(b[50:])
	}
	return 0
}
