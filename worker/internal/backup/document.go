package backup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// minDocument is the empty document: its length and the zero at its end.
	minDocument = 5
	// maxDocument is MongoDB's limit of 16 MiB, and what the server allows
	// itself above it.
	maxDocument = 16<<20 + 16<<10
)

// documentReader cuts a stream of BSON documents, one after the other.
type documentReader struct {
	from   io.Reader
	buffer []byte
}

// next returns the next document, valid until the call after it, and io.EOF
// after the last one.
func (d *documentReader) next() ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(d.from, prefix[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("it ends within the length of a document")
		}
		return nil, err
	}
	length := int64(int32(binary.LittleEndian.Uint32(prefix[:])))
	if length < minDocument || length > maxDocument {
		return nil, fmt.Errorf("a document claims a length of %d bytes", length)
	}
	if int64(cap(d.buffer)) < length {
		d.buffer = make([]byte, length)
	}
	d.buffer = d.buffer[:length]
	copy(d.buffer, prefix[:])
	if _, err := io.ReadFull(d.from, d.buffer[len(prefix):]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("it ends within a document")
		}
		return nil, err
	}
	if d.buffer[length-1] != 0 {
		return nil, errors.New("a document does not end where its length says")
	}
	return d.buffer, nil
}
