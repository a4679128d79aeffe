package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
)

// measureMP3 adds up the frames, which is exact for every rate: headers that
// count them are often wrong or missing. (Decoders and tag readers of others
// were tried: some count what stands behind the sound, and some take the rate of
// the first frame for that of all.)
func measureMP3(file io.ReaderAt, info *Info) error {
	start, end := soundOf(file, info.Size)
	s := &mp3Scan{file: file, at: start, end: end}
	s.run()
	switch {
	case s.frames == 0:
		return notTaken("begins like an MP3 and holds no frame of one")
	case s.constant:
		info.Duration = float64(s.bytes) * 8 / float64(s.first.bitrate)
	default:
		info.Duration = float64(s.frames) * float64(s.first.samples) / float64(s.first.rate)
	}
	return nil
}

// mp3Window is how much of the file is looked at at a time: many frames.
const mp3Window = 256 << 10

// mp3Scan visits the frames of a sound.
type mp3Scan struct {
	file     io.ReaderAt
	at, end  int64
	window   []byte
	windowAt int64
	first    mp3Frame
	frames   int64
	bytes    int64 // of all frames
	constant bool  // all have one bitrate
}

// bytesAt returns what there is from a place on: n bytes, or fewer at the end.
func (s *mp3Scan) bytesAt(at int64, n int) []byte {
	n = int(min(int64(n), s.end-at))
	if n <= 0 {
		return nil
	}
	if from := at - s.windowAt; from < 0 || from+int64(n) > int64(len(s.window)) {
		s.window, s.windowAt = readAt(s.file, at, int(min(mp3Window, s.end-at))), at
		n = min(n, len(s.window))
	}
	return s.window[at-s.windowAt:][:n]
}

func (s *mp3Scan) run() {
	s.constant = true
	for {
		frame, ok := s.find()
		if !ok {
			return
		}
		length := min(int64(frame.size), s.end-s.at)
		head := s.bytesAt(s.at, int(length))
		s.at += length
		if s.first.size == 0 {
			s.first = frame
			if frame.isHeader(head) {
				s.first.bitrate = 0 // the sound begins with the next
				continue
			}
		}
		if s.first.bitrate == 0 {
			s.first.bitrate = frame.bitrate
		}
		s.frames++
		s.bytes += length
		s.constant = s.constant && frame.bitrate == s.first.bitrate
	}
}

// find goes to the next frame. One that does not follow the last must be of the
// same sound, and followed by another: four bytes alone look like a frame too
// often.
func (s *mp3Scan) find() (mp3Frame, bool) {
	for lost := false; ; lost = true {
		b := s.bytesAt(s.at, mp3Search)
		if len(b) < 4 {
			return mp3Frame{}, false
		}
		for i := 0; i+4 <= len(b); {
			frame, ok := parseFrame(b[i:])
			if ok && (s.first.size == 0 || frame.like(s.first)) && (!lost && i == 0 && s.frames > 0 || s.followed(s.at+int64(i), frame)) {
				s.at += int64(i)
				return frame, true
			}
			skip := bytes.IndexByte(b[i+1:], 0xff)
			if skip < 0 {
				break
			}
			i += 1 + skip
		}
		if s.at+int64(len(b)) >= s.end {
			return mp3Frame{}, false
		}
		s.at += int64(len(b)) - 3
	}
}

// mp3Search is how much is looked through at a time for a frame.
const mp3Search = 4 << 10

// followed reports whether other frames of the same sound come right after, or
// the end.
func (s *mp3Scan) followed(at int64, frame mp3Frame) bool {
	const enough = 3
	for range enough {
		at += int64(frame.size)
		if at+4 > s.end {
			return true
		}
		next, ok := parseFrame(s.bytesAt(at, 4))
		if !ok || !next.like(frame) {
			return false
		}
		frame = next
	}
	return true
}

// beginsWithFrames reports whether the first bytes hold frames of an MP3, behind
// whatever a cut has left of another.
func beginsWithFrames(head []byte) bool {
	const most = 4 << 10
	s := &mp3Scan{file: bytes.NewReader(head), end: int64(len(head))}
	frame, ok := s.find()
	return ok && s.at <= most && s.at+4*int64(frame.size) < s.end
}

// soundOf is where the sound of an MP3 begins and ends: between the tags. There
// may be several on either side, of any kind.
func soundOf(file io.ReaderAt, size int64) (start, end int64) {
	for range mostTags {
		length := tagBefore(readAt(file, start, 32))
		if length == 0 {
			break
		}
		start += length
	}
	end = size
	for range mostTags {
		length := tagBehind(readAt(file, max(end-tagTail, 0), int(min(end, tagTail))))
		if length == 0 {
			break
		}
		end -= length
	}
	return min(start, size), max(end, start)
}

// mostTags is how many tags are passed over on a side.
const mostTags = 16

// tagTail is how much of the end tells which tag stands there.
const tagTail = 256

// tagBefore is the length of the tag that begins here: ID3v2, or APEv2.
func tagBefore(b []byte) int64 {
	switch {
	case len(b) >= 10 && string(b[:3]) == "ID3" && b[3] != 0xff:
		length := 10 + sevenBits(b[6:10])
		if b[5]&0x10 != 0 { // it has a footer
			length += 10
		}
		return length
	case len(b) >= 32 && string(b[:8]) == "APETAGEX":
		return 32 + int64(binary.LittleEndian.Uint32(b[12:]))
	}
	return 0
}

// tagBehind is the length of the tag that ends here: ID3v1 and what extends it,
// APEv2, Lyrics3, or ID3v2 with a footer.
func tagBehind(b []byte) int64 {
	n := len(b)
	switch {
	case n >= 128 && string(b[n-128:n-125]) == "TAG":
		return 128
	case n >= 227 && string(b[n-227:n-223]) == "TAG+":
		return 227
	case n >= 32 && string(b[n-32:n-24]) == "APETAGEX" && b[n-9]&0x20 != 0: // a header that its footer does not count
		return 32
	case n >= 32 && string(b[n-32:n-24]) == "APETAGEX":
		length := int64(binary.LittleEndian.Uint32(b[n-20:]))
		if b[n-9]&0x80 != 0 { // it has a header
			length += 32
		}
		return length
	case n >= 15 && string(b[n-9:]) == "LYRICS200":
		length := int64(0)
		for _, digit := range b[n-15 : n-9] {
			length = length*10 + int64(digit&15)
		}
		return length + 15
	case n >= 10 && string(b[n-10:n-7]) == "3DI":
		return 20 + sevenBits(b[n-4:])
	}
	return 0
}

// sevenBits is a number with seven bits in a byte.
func sevenBits(b []byte) int64 {
	number := int64(0)
	for _, digit := range b {
		number = number<<7 | int64(digit&0x7f)
	}
	return number
}
