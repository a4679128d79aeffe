package mediafile_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

func box(kind string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8)), append([]byte(kind), body...)...)
}

func words(values ...uint32) []byte {
	var b []byte
	for _, value := range values {
		b = binary.BigEndian.AppendUint32(b, value)
	}
	return b
}

// trackOf is a track of an index: its id, whether it is played, what it is, its
// length in thousandths.
func trackOf(id, flags uint32, handler string, length uint32, more ...[]byte) []byte {
	tkhd := append(words(flags, 0, 0, id, 0, length, 0, 0, 0, 0, 1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<30), words(320<<16, 240<<16)...)
	mdhd := words(0, 0, 0, 1000, length, 0)
	hdlr := append(append(words(0, 0), handler...), make([]byte, 13)...)
	return box("trak", append([][]byte{box("tkhd", tkhd)}, append(more, box("mdia", box("mdhd", mdhd), box("hdlr", hdlr)))...)...)
}

func movie(length uint32) []byte {
	return box("mvhd", append(words(0, 0, 0, 1000, length), make([]byte, 80)...))
}

// TestIndexOfFilms: what plays makes a film or a sound, and the length comes from
// wherever it is told.
func TestIndexOfFilms(t *testing.T) {
	t.Parallel()
	const played, unplayed, unknown = 3, 0, math.MaxUint32
	chapters := box("tref", box("chap", words(2, 3)))
	begin := mediatest.FileType()
	trex := box("trex", words(0, 1, 1, 500, 0, 0))
	run := func(parts ...[]byte) []byte { return box("moof", box("traf", parts...)) }
	fragments := bytes.Join([][]byte{
		run(box("tfhd", words(0, 1)), box("trun", words(0, 4))),                              // as the index says: 2 s
		run(box("tfhd", words(8, 1, 1000)), box("trun", words(0, 3))),                        // as the fragment says: 3 s
		run(box("tfhd", words(0, 1)), box("trun", words(0x100, 2, 2000, 3000))),              // as each sample says: 5 s
		run(box("tfhd", words(0, 9)), box("trun", words(0x100, 1, 900_000))),                 // of no track
		run(box("trun", words(0x100, 1, 900_000))),                                           // of nobody
		box("moof", box("traf", box("tfhd", words(0, 1)), box("trun", words(0x100, 100_1)))), // it ends before its table
	}, nil)
	long := box("mvhd", append(words(1<<24, 0, 0, 0, 0, 1000, 0, 10_000), make([]byte, 80)...))
	for name, test := range map[string]struct {
		index, more []byte
		format      mediafile.Format
		seconds     float64
	}{
		"a film":                           {box("moov", movie(10_000), trackOf(1, played, "vide", 0), trackOf(2, played, "soun", 0)), nil, "mp4", 10},
		"a sound":                          {box("moov", movie(10_000), trackOf(1, played, "soun", 0)), nil, "m4a", 10},
		"a sound with pictures":            {box("moov", movie(10_000), trackOf(1, played, "soun", 0, chapters), trackOf(2, played, "vide", 0), trackOf(3, unplayed, "text", 0)), nil, "m4a", 10},
		"a sound with a cover":             {box("moov", movie(10_000), trackOf(1, played, "soun", 0), trackOf(2, unplayed, "vide", 0)), nil, "m4a", 10},
		"a film, and pictures of chapters": {box("moov", movie(10_000), trackOf(1, played, "vide", 0, chapters), trackOf(2, unplayed, "vide", 0)), nil, "mp4", 10},
		"a film that nobody switched on":   {box("moov", movie(10_000), trackOf(1, unplayed, "vide", 0), trackOf(2, unplayed, "soun", 0)), nil, "mp4", 10},
		"64 bits":                          {box("moov", long, trackOf(1, played, "vide", 0)), nil, "mp4", 10},
		"told by a track":                  {box("moov", movie(0), trackOf(1, played, "vide", 10_000), trackOf(2, played, "soun", 9_000)), nil, "mp4", 10},
		"not told":                         {box("moov", movie(unknown), trackOf(1, played, "vide", unknown)), nil, "mp4", 0},
		"fragments":                        {box("moov", movie(0), trackOf(1, played, "vide", 0), box("mvex", trex)), fragments, "mp4", 10},
		"fragments, told":                  {box("moov", movie(0), trackOf(1, played, "vide", 0), box("mvex", box("mehd", words(0, 10_000)), trex)), nil, "mp4", 10},
		"a table that announces too much":  {box("moov", movie(0), trackOf(1, played, "vide", 0)), run(box("tfhd", words(0, 1)), box("trun", words(0x100, math.MaxUint32, 10_000))), "mp4", 10},
		"a table without anything":         {box("moov", movie(0), trackOf(1, played, "vide", 0)), run(box("tfhd", words(0, 1)), box("trun", words(0, math.MaxUint32))), "mp4", 0},
		"junk behind":                      {box("moov", movie(10_000), trackOf(1, played, "vide", 0)), []byte("\x7f\xff\xff\xffjunk and more"), "mp4", 10},
		"a box too long behind":            {box("moov", movie(10_000), trackOf(1, played, "vide", 0)), []byte{0, 0, 0, 1, 'f', 'r', 'e', 'e', 255, 255, 255, 255, 255, 255, 255, 255}, "mp4", 10},
	} {
		info, err := measure(t, bytes.Join([][]byte{begin, test.index, test.more}, nil))
		if err != nil || info.Format != test.format || info.Duration != test.seconds {
			t.Errorf("%s: %+v, %v; want %s of %g s", name, info, err, test.format, test.seconds)
		}
	}
}
