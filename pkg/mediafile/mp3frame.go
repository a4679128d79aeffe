package mediafile

import "bytes"

// mp3Frame is the header of a frame of layer III.
type mp3Frame struct {
	version       byte // 0 = 2.5, 2 = 2, 3 = 1
	mono          bool
	rate, bitrate int // in a second
	samples, size int
}

var (
	bitrates1 = [16]int{1: 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	bitrates2 = [16]int{1: 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	rates     = [4]int{44100, 48000, 32000}
)

// The versions of MPEG that a frame names.
const (
	mpeg25   = 0
	mpegNone = 1
	mpeg2    = 2
	mpeg1    = 3
)

func parseFrame(b []byte) (mp3Frame, bool) {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 || b[1]>>1&3 != 1 {
		return mp3Frame{}, false
	}
	f := mp3Frame{version: b[1] >> 3 & 3, mono: b[3]>>6 == 3, rate: rates[b[2]>>2&3], samples: 576, bitrate: bitrates2[b[2]>>4] * 1000}
	switch f.version {
	case mpeg25:
		f.rate /= 4
	case mpeg2:
		f.rate /= 2
	case mpeg1:
		f.bitrate, f.samples = bitrates1[b[2]>>4]*1000, 1152
	}
	if f.version == mpegNone || f.rate == 0 || f.bitrate == 0 {
		return mp3Frame{}, false
	}
	f.size = f.samples/8*f.bitrate/f.rate + int(b[2]>>1&1)
	return f, true
}

// like reports whether two frames can be of one sound.
func (f mp3Frame) like(other mp3Frame) bool {
	return f.version == other.version && f.rate == other.rate
}

// isHeader reports whether a frame holds no sound, and a table of the others
// instead (Xing, Info, VBRI).
func (f mp3Frame) isHeader(frame []byte) bool {
	side := 17
	switch {
	case f.version == mpeg1 && !f.mono:
		side = 32
	case f.version != mpeg1 && f.mono:
		side = 9
	}
	if at := 4 + side; len(frame) > at && (bytes.HasPrefix(frame[at:], []byte("Xing")) || bytes.HasPrefix(frame[at:], []byte("Info"))) {
		return true
	}
	return len(frame) > 36 && bytes.HasPrefix(frame[36:], []byte("VBRI"))
}
