package mediafile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/abema/go-mp4"
)

// The bounds of a walk over boxes: real files have a few thousand at the most,
// and their tables of fragments a few hundred kilobytes.
const (
	mostBoxes     = 100_000
	mostFragment  = 256 << 10
	mostFragments = 1 << 20
	mostIndex     = 3 << 20 // of all that is read
)

// track is one of a film: pictures, sound, chapters.
type track struct {
	id            uint32
	handler       string // vide, soun, text
	enabled       bool
	width, height int
	scale         uint32 // units of time in a second
	length        uint64 // in those
	chapters      []uint32
	each          uint32 // length of a sample of a fragment, where it tells none
	fragments     uint64 // length of all fragments
}

// isoWalk reads MP4, MOV and M4A files: boxes within boxes (ISO 14496-12).
type isoWalk struct {
	boxes     int
	tables    uint64 // bytes of tables of fragments that were read
	uncertain bool   // there were more
	found     bool   // an index
	scale     uint32
	length    uint64 // of the film, as its header tells
	fragments uint64 // of all its fragments, as the index tells
	tracks    []*track
	moof      *track // the one whose fragment is being read
	each      uint32 // length of a sample of that fragment
}

var errTooManyBoxes = errors.New("too many boxes")

func measureISOMedia(file io.ReaderAt, info *Info) error {
	w := &isoWalk{}
	w.walk(io.NewSectionReader(limited(file, mostIndex), 0, info.Size))
	if !w.found {
		return damaged("it has no index of what is in it (moov); it was perhaps cut off")
	}
	info.Duration = w.duration()
	film, sound := w.kinds()
	if film != nil {
		info.Width, info.Height = film.width, film.height
	}
	switch {
	case film == nil && !sound:
		return notTaken("holds neither a film nor a sound")
	case film == nil && info.Format == MOV:
		return notTaken("is a QuickTime file with sound alone; save it as M4A")
	case film == nil:
		info.Format = M4A
	case info.Format == M4A:
		info.Format = MP4
	}
	return nil
}

// walk visits the index and the fragments. What stands behind them and cannot be
// read does not matter.
func (w *isoWalk) walk(file io.ReadSeeker) {
	for ; w.boxes < mostBoxes; w.boxes++ {
		box, err := mp4.ReadBoxInfo(file)
		if err != nil || box.Size < box.HeaderSize {
			return
		}
		if kind := box.Type.String(); kind == "moov" || kind == "moof" {
			if _, err := mp4.ReadBoxStructureFromInternal(file, box, w.box); err != nil {
				return
			}
		}
		if _, err := box.SeekToEnd(file); err != nil {
			return
		}
	}
}

// kinds returns the greatest film among the tracks, and whether there is sound.
// The pictures of chapters and covers, which nobody plays, are no film.
func (w *isoWalk) kinds() (film *track, sound bool) {
	chapters, played := map[uint32]bool{}, false
	for _, t := range w.tracks {
		sound = sound || t.handler == "soun"
		played = played || t.handler == "soun" && t.enabled
		for _, id := range t.chapters {
			chapters[id] = true
		}
	}
	for _, t := range w.tracks {
		if t.handler != "vide" || chapters[t.id] || played && !t.enabled {
			continue
		}
		if film == nil || t.width*t.height > film.width*film.height {
			film = t
		}
	}
	return film, sound
}

// duration is that of the header of the film, or of its fragments, or of its
// longest track. 0 = none tells.
func (w *isoWalk) duration() float64 {
	length := seconds(max(w.length, w.fragments), w.scale)
	if w.uncertain {
		return length
	}
	for _, t := range w.tracks {
		if w.length == 0 || t.fragments > 0 {
			length = max(length, seconds(t.length, t.scale), seconds(t.fragments, t.scale))
		}
	}
	return length
}

// seconds is a length in units of time. All ones mean that it is not known.
func seconds(length uint64, scale uint32) float64 {
	if scale == 0 || length >= 1<<63 {
		return 0
	}
	return float64(length) / float64(scale)
}

// knownLength is a length of a header of a header; all ones mean that it is
// not known.
func knownLength(length uint64) uint64 {
	if length == 1<<32-1 || length == 1<<64-1 {
		return 0
	}
	return length
}

// box visits one.
func (w *isoWalk) box(h *mp4.ReadHandle) (any, error) {
	if w.boxes++; w.boxes > mostBoxes || h.BoxInfo.Size < h.BoxInfo.HeaderSize {
		return nil, errTooManyBoxes
	}
	switch kind := h.BoxInfo.Type.String(); kind {
	case "moov", "mdia", "mvex", "moof":
		w.found = w.found || kind == "moov"
		return nil, inner(h)
	case "trak":
		w.tracks = append(w.tracks, &track{})
		return nil, inner(h)
	case "traf":
		w.moof, w.each = nil, 0
		return nil, inner(h)
	case "tref":
		w.references(h)
	case "trun":
		w.run(h)
	case "mvhd", "tkhd", "mdhd", "hdlr", "mehd", "trex", "tfhd":
		w.header(h)
	}
	return nil, nil
}

// inner visits the boxes of a box. One that is broken ends that, and not the
// rest of the walk.
func inner(h *mp4.ReadHandle) error {
	if _, err := h.Expand(); errors.Is(err, errTooManyBoxes) || errors.Is(err, errReadTooMuch) {
		return err
	}
	return nil
}

// header reads a box that tells something. One that is broken tells nothing.
func (w *isoWalk) header(h *mp4.ReadHandle) {
	payload, _, err := h.ReadPayload()
	if err != nil {
		return
	}
	switch b := payload.(type) {
	case *mp4.Mvhd:
		w.scale, w.length = b.Timescale, knownLength(b.GetDuration())
	case *mp4.Mehd:
		w.fragments = knownLength(b.GetFragmentDuration())
	case *mp4.Trex:
		if t := w.byID(b.TrackID); t != nil {
			t.each = b.DefaultSampleDuration
		}
	case *mp4.Tfhd:
		w.fragment(b)
	default:
		if len(w.tracks) > 0 {
			w.tracks[len(w.tracks)-1].header(payload)
		}
	}
}

// header reads what a track tells of itself.
func (t *track) header(payload mp4.IBox) {
	switch b := payload.(type) {
	case *mp4.Tkhd:
		t.id, t.enabled = b.TrackID, b.GetFlags()&1 != 0
		t.width, t.height = int(b.Width>>16), int(b.Height>>16)
		if b.Matrix[0] == 0 && b.Matrix[1] != 0 { // a quarter turn
			t.width, t.height = t.height, t.width
		}
	case *mp4.Mdhd:
		t.scale, t.length = b.Timescale, knownLength(b.GetDuration())
	case *mp4.Hdlr:
		if t.handler == "" { // that of the data follows that of the media
			t.handler = string(b.HandlerType[:])
		}
	}
}

func (w *isoWalk) byID(id uint32) *track {
	for _, t := range w.tracks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// references reads which tracks are the chapters of this one.
func (w *isoWalk) references(h *mp4.ReadHandle) {
	const most = 4 << 10
	var b bytes.Buffer
	if h.BoxInfo.Size > most || len(w.tracks) == 0 {
		return
	}
	if _, err := h.ReadData(&b); err != nil {
		return
	}
	for data := b.Bytes(); len(data) >= 8; {
		size := int(min(binary.BigEndian.Uint32(data), most))
		if size < 8 || size > len(data) {
			return
		}
		if string(data[4:8]) == "chap" {
			for ids := data[8:size]; len(ids) >= 4; ids = ids[4:] {
				t := w.tracks[len(w.tracks)-1]
				t.chapters = append(t.chapters, binary.BigEndian.Uint32(ids))
			}
		}
		data = data[size:]
	}
}
