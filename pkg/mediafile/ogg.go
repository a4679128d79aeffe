package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
)

// The parts of the header of a page (RFC 3533, section 6).
const (
	oggPageHead  = 27
	oggContinued = 1
	oggBegin     = 2
	oggNoEnd     = 1<<64 - 1 // the position of a page on which no packet ends
)

var oggMark = []byte("OggS")

// oggPage is one page.
type oggPage struct {
	flags    byte
	position uint64
	serial   uint32
	lacing   []byte // lengths of the pieces of packets
	body     int64  // where those begin
	end      int64
}

// oggStream is one of the streams of a file.
type oggStream struct {
	oggCodec
	serial  uint32
	packets int    // that were seen, those with sound from headers on
	start   uint64 // position at which the sound begins
	begun   bool
	last    uint64 // the greatest position
}

// oggWalk visits all pages. A file may have several streams at once, and several
// one after the other.
type oggWalk struct {
	file   io.ReaderAt
	size   int64
	live   []*oggStream // of the present link of the chain
	data   bool         // a page of it that is no beginning was seen
	film   bool
	sound  bool
	length float64 // of the links before
}

// measureOGG adds up the links of the chain; each is as long as its longest
// stream, from its first sample to its last (RFC 3533, RFC 7845, Vorbis I).
func measureOGG(file io.ReaderAt, info *Info) error {
	w := &oggWalk{file: file, size: info.Size}
	for at := int64(0); ; {
		page, ok := w.page(at)
		if !ok {
			break
		}
		w.visit(page)
		at = page.end
	}
	switch {
	case w.film:
		return notTaken("is a film in Ogg; convert it to MP4")
	case !w.sound:
		return notTaken("is an Ogg without a sound that is known (Opus, Vorbis, FLAC or Speex)")
	}
	info.Duration = w.length + w.link()
	return nil
}

// page finds the page at or behind a place: a cut file may begin anywhere.
func (w *oggWalk) page(at int64) (oggPage, bool) {
	const window = 16 << 10
	for {
		head := readAt(w.file, at, oggPageHead+255)
		if len(head) < oggPageHead {
			return oggPage{}, false
		}
		if bytes.HasPrefix(head, oggMark) {
			p := oggPage{flags: head[5], position: binary.LittleEndian.Uint64(head[6:]), serial: binary.LittleEndian.Uint32(head[14:])}
			p.lacing = head[oggPageHead:min(oggPageHead+int(head[26]), len(head))]
			p.body = at + oggPageHead + int64(len(p.lacing))
			p.end = p.body
			for _, length := range p.lacing {
				p.end += int64(length)
			}
			return p, true
		}
		b := readAt(w.file, at+1, window)
		if next := bytes.Index(b, oggMark); next >= 0 {
			at += 1 + int64(next)
		} else if at += int64(len(b)) - 3; len(b) < window {
			return oggPage{}, false
		}
	}
}

// visit notes what a page tells.
func (w *oggWalk) visit(p oggPage) {
	s := w.stream(p.serial)
	if p.flags&oggBegin != 0 && s == nil {
		if w.data { // a new link of the chain
			w.length += w.link()
			w.live, w.data = nil, false
		}
		s = &oggStream{serial: p.serial, oggCodec: codecOf(readAt(w.file, p.body, int(min(p.end-p.body, 128))))}
		w.live = append(w.live, s)
		w.film, w.sound = w.film || s.film, w.sound || s.rate > 0
	}
	if s == nil || s.rate == 0 {
		return
	}
	w.data = w.data || p.flags&oggBegin == 0
	s.page(w.file, p)
}

func (w *oggWalk) stream(serial uint32) *oggStream {
	for _, s := range w.live {
		if s.serial == serial {
			return s
		}
	}
	return nil
}

// link is how long the present link of the chain is.
func (w *oggWalk) link() float64 {
	longest := 0.0
	for _, s := range w.live {
		// A sound that begins late has what is skipped before that.
		if first := max(s.start, s.skip); s.rate > 0 && s.last > first {
			longest = max(longest, float64(s.last-first)/float64(s.rate))
		}
	}
	return longest
}

// page counts the packets that end on a page. The first with sound tells where
// the sound begins: a file that was cut from a broadcast begins at any position.
func (s *oggStream) page(file io.ReaderAt, p oggPage) {
	var samples uint64 // that end on this page
	at, continued := p.body, p.flags&oggContinued != 0
	begin := at
	for _, length := range p.lacing {
		at += int64(length)
		if length == 255 {
			continue // the packet goes on
		}
		if s.packets++; s.packets > s.headers && !s.begun && !continued {
			samples += s.samples(readAt(file, begin, int(min(at-begin, 2))))
		}
		begin, continued = at, false
	}
	if p.position == oggNoEnd || s.packets == 0 {
		return
	}
	if s.packets > s.headers && !s.begun {
		s.begun = true
		if p.position > samples && p.flags&4 == 0 {
			s.start = p.position - samples
		}
	}
	s.last = max(s.last, p.position)
}
