package mediafile

import (
	"bytes"
	"io"
)

// parts are what a picture file consists of, as a walk over it saw them.
type parts struct {
	turn    int    // as Info.Turn
	frames  int    // how many pictures there are; 0 = not counted
	profile []byte // the ICC profile; nil = none
	frame   jpegFrame
	kept    plan // what is needed to show the picture
}

// walks visit the parts of a file: of the whole one, or as far as measuring it
// takes.
var walks = map[Format]func(file io.ReaderAt, size int64, whole bool) (*parts, error){
	JPEG: walkJPEG, PNG: walkPNG, GIF: walkGIF, WebP: walkWebP,
}

func walkPicture(file io.ReaderAt, size int64, format Format, whole bool) (*parts, error) {
	p, err := walks[format](file, size, whole)
	if err != nil {
		return nil, err
	}
	if p.turn == 0 {
		p.turn = 1
	}
	if len(p.kept.pieces) > maxPieces {
		return nil, errTooManyParts
	}
	return p, nil
}

// maxPieces is how many pieces a plan may have. Pictures have a handful.
const maxPieces = 10_000

// errTooManyParts is about a file that is cut so small that it takes long to
// walk over.
var errTooManyParts = damaged("it is cut into too many parts")

// plan is a file that is made of pieces of another one, and of a few bytes that
// stand for others.
type plan struct {
	pieces []piece
	size   int64
}

type piece struct {
	from, to int64
	literal  []byte // stands here if it is not nil
}

// keep adds what is between two places. Pieces that touch become one.
func (p *plan) keep(from, to int64) {
	if to <= from || len(p.pieces) > maxPieces {
		return
	}
	p.size += to - from
	if last := len(p.pieces) - 1; last >= 0 && p.pieces[last].literal == nil && p.pieces[last].to == from {
		p.pieces[last].to = to
		return
	}
	p.pieces = append(p.pieces, piece{from: from, to: to})
}

// put adds bytes that are not in the file.
func (p *plan) put(literal []byte) {
	if len(p.pieces) <= maxPieces {
		p.size += int64(len(literal))
		p.pieces = append(p.pieces, piece{literal: literal})
	}
}

// whole reports whether the plan is the file itself.
func (p *plan) whole(size int64) bool {
	return len(p.pieces) == 1 && p.pieces[0].literal == nil && p.size == size
}

// reader reads the planned file.
func (p *plan) reader(file io.ReaderAt) io.Reader {
	readers := make([]io.Reader, len(p.pieces))
	for i, piece := range p.pieces {
		if piece.literal != nil {
			readers[i] = bytes.NewReader(piece.literal)
		} else {
			readers[i] = io.NewSectionReader(file, piece.from, piece.to-piece.from)
		}
	}
	return io.MultiReader(readers...)
}
