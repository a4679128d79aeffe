package mediafile

import (
	"errors"
	"io"
)

// mostRead is how many bytes a measurement may read of a file, however often
// its parts lead back to where it was. A file is read twice at the most by an
// honest one.
const mostRead = 1 << 20

// errReadTooMuch ends the reading of a file that leads in circles.
var errReadTooMuch = errors.New("the file has to be read too often")

// within is a file of which no more can be read than a number of bytes, by
// whichever library: one that is built to be expensive costs no more than
// others.
type within struct {
	file io.ReaderAt
	left int64
}

// ReadAt implements io.ReaderAt.
func (w *within) ReadAt(b []byte, at int64) (int, error) {
	if w.left -= int64(len(b)); w.left < 0 {
		return 0, errReadTooMuch
	}
	return w.file.ReadAt(b, at)
}

// limited is the same file with fewer bytes to read.
func limited(file io.ReaderAt, most int64) io.ReaderAt { return &within{file: file, left: most} }

// readAt returns up to n bytes from a place; fewer at the end of the file.
func readAt(file io.ReaderAt, offset int64, n int) []byte {
	if offset < 0 || n < 0 {
		return nil
	}
	buffer := make([]byte, n)
	read, err := file.ReadAt(buffer, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return buffer[:read]
}
