package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/gzip"
)

// writeBuffer is what is gathered before the store sees it.
const writeBuffer = 256 << 10

// fileWriter writes one file: gzip, then encryption if there are recipients,
// then the count and hash of what is stored, then the store.
type fileWriter struct {
	path  string
	gzip  *gzip.Writer
	seal  io.WriteCloser // nil = not encrypted
	tally *tally
}

// tally counts and hashes what it passes on.
type tally struct {
	buffer *bufio.Writer
	file   io.WriteCloser
	hash   hash.Hash
	bytes  int64
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.buffer.Write(p)
	t.hash.Write(p[:n])
	t.bytes += int64(n)
	return n, err
}

// newFile begins a file of a draft. It has to be closed.
func newFile(ctx context.Context, draft Draft, path string, to Recipients) (*fileWriter, error) {
	if len(to.keys) > 0 {
		path += encryptedEnding
	}
	file, err := draft.Create(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	w := &fileWriter{path: path, tally: &tally{buffer: bufio.NewWriterSize(file, writeBuffer), file: file, hash: sha256.New()}}
	var below io.Writer = w.tally
	if len(to.keys) > 0 {
		if w.seal, err = age.Encrypt(w.tally, to.keys...); err != nil {
			return nil, errors.Join(fmt.Errorf("encrypt %s: %w", path, err), file.Close())
		}
		below = w.seal
	}
	w.gzip = gzip.NewWriter(below)
	return w, nil
}

// Write adds content. Its errors name the file.
func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.gzip.Write(p)
	if err != nil {
		return n, fmt.Errorf("write %s: %w", w.path, err)
	}
	return n, nil
}

// Close ends every layer, also after a failure, and returns what is stored.
func (w *fileWriter) Close() (FileEntry, error) {
	err := w.gzip.Close()
	if w.seal != nil && err == nil {
		err = w.seal.Close()
	}
	if err == nil {
		err = w.tally.buffer.Flush()
	}
	if closed := w.tally.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return FileEntry{}, fmt.Errorf("write %s: %w", w.path, err)
	}
	return FileEntry{Path: w.path, Bytes: w.tally.bytes, SHA256: hex.EncodeToString(w.tally.hash.Sum(nil))}, nil
}
