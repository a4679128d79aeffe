package mediafile

import (
	"bufio"
	"io"
)

// The blocks of a GIF (GIF89a, appendix A).
const (
	gifExtension   = 0x21
	gifImage       = 0x2c
	gifEnd         = 0x3b
	gifControl     = 0xf9
	gifApplication = 0xff
)

// gifKept are the applications that say how an animation repeats, and the
// colours.
var gifKept = map[string]bool{"NETSCAPE2.0": true, "ANIMEXTS1.0": true, "ICCRGBG1012": true}

// gifWalk visits the blocks of a GIF.
type gifWalk struct {
	parts
	in *bufio.Reader
	at int64
}

// walkGIF visits the blocks up to the end of the picture, or to its second frame
// where the rest does not matter.
func walkGIF(file io.ReaderAt, size int64, whole bool) (*parts, error) {
	w := &gifWalk{in: bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 32<<10)}
	head := w.take(13)
	if len(head) < 13 || string(head[:3]) != "GIF" {
		return nil, damaged("its header cannot be read")
	}
	w.skip(tableSize(head[10]))
	w.kept.keep(0, w.at)
	for w.block() && (whole || w.frames < 2) {
	}
	return &w.parts, nil
}

// take reads n bytes; fewer at the end.
func (w *gifWalk) take(n int) []byte {
	b := make([]byte, n)
	read, _ := io.ReadFull(w.in, b) // the end shows in the length
	w.at += int64(read)
	return b[:read]
}

func (w *gifWalk) skip(n int) {
	read, _ := w.in.Discard(n)
	w.at += int64(read)
}

// tableSize is how long the colour table is that flags announce.
func tableSize(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// block visits one; false = it was the last.
func (w *gifWalk) block() bool {
	begin := w.at
	kind := w.take(1)
	if len(kind) == 0 {
		return false
	}
	keep := true
	switch kind[0] {
	case gifImage:
		w.frames++
		if descriptor := w.take(9); len(descriptor) == 9 {
			w.skip(tableSize(descriptor[8]) + 1) // and the size of its codes
		}
		w.subBlocks(nil)
	case gifExtension:
		keep = w.extension()
	case gifEnd:
		w.kept.keep(begin, w.at)
		return false
	default: // no block: decoders stop here, too
		w.kept.put([]byte{gifEnd})
		return false
	}
	if keep {
		w.kept.keep(begin, w.at)
	}
	return true
}

// extension reports whether one is needed to show the picture.
func (w *gifWalk) extension() bool {
	label := w.take(1)
	if len(label) == 0 {
		return false
	}
	var name []byte
	w.subBlocks(&name)
	return label[0] == gifControl || label[0] == gifApplication && gifKept[string(name)]
}

// subBlocks passes over the data of a block; first takes the first of them.
func (w *gifWalk) subBlocks(first *[]byte) {
	for {
		length := w.take(1)
		if len(length) == 0 || length[0] == 0 {
			return
		}
		if first != nil && *first == nil {
			*first = w.take(int(length[0]))
			continue
		}
		w.skip(int(length[0]))
	}
}
