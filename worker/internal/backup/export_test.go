package backup

import (
	"bytes"
	"errors"
	"io"
)

// ParseManifest is for fuzzing.
var ParseManifest = parseManifest

// Documents cuts a whole stream, for fuzzing.
func Documents(r io.Reader) ([][]byte, error) {
	var out [][]byte
	for d := (documentReader{from: r}); ; {
		document, err := d.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, bytes.Clone(document))
	}
}
