package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/gzip"
)

// maxMetadata bounds the text of a collection's options and indexes.
const maxMetadata = 16 << 20

// archive is a finished backup, open for reading.
type archive struct {
	store      Store
	identities Identities
	manifest   *Manifest
}

// open reads the manifest of a backup, and compares it with the sums.
func open(ctx context.Context, store Store, name string, identities Identities) (*archive, error) {
	manifest, sum, err := readManifest(ctx, store, name)
	if err != nil {
		return nil, err
	}
	sums, err := readSmall(ctx, store, name, SumsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(name, SumsFile, "is missing")
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sums, manifest.sums(sum)) {
		return nil, damaged(name, ManifestFile, "and "+SumsFile+" do not agree: one of them has changed")
	}
	return &archive{store: store, identities: identities, manifest: manifest}, nil
}

// readManifest returns the manifest and its SHA-256.
func readManifest(ctx context.Context, store Store, name string) (*Manifest, string, error) {
	if _, _, err := ParseName(name); err != nil {
		return nil, "", err
	}
	text, err := readSmall(ctx, store, name, ManifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%w: %s", ErrNotFound, store.Location(name))
	}
	if err != nil {
		return nil, "", err
	}
	manifest, err := parseManifest(name, text)
	return manifest, hexSum(text), err
}

func readSmall(ctx context.Context, store Store, name, path string) ([]byte, error) {
	file, err := store.Open(ctx, name, path)
	if err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", path, name, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", path, name, err)
	}
	return text, nil
}

func hexSum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// documents calls each with every document of a collection, and fails when the
// file is not what the manifest says. A failure of each is returned as it is.
func (a *archive) documents(ctx context.Context, c CollectionEntry, each func(document []byte) error) error {
	if c.Data == nil {
		return nil
	}
	return a.read(ctx, *c.Data, func(content io.Reader) error {
		var sum contentSum
		var count int64
		documents := documentReader{from: bufio.NewReaderSize(content, writeBuffer)}
		for {
			document, err := documents.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			count++
			sum.add(document)
			if err := errors.Join(ctx.Err(), each(document)); err != nil {
				return callerError{err}
			}
		}
		if count != c.Documents || sum.String() != c.Sum {
			return fmt.Errorf("it holds %d documents with the sum %s, and the manifest says %d with %s", count, sum.String(), c.Documents, c.Sum)
		}
		return nil
	})
}

// metadata returns the options and indexes of a collection.
func (a *archive) metadata(ctx context.Context, c CollectionEntry) ([]byte, error) {
	var text []byte
	err := a.read(ctx, c.Metadata, func(content io.Reader) (err error) {
		text, err = io.ReadAll(io.LimitReader(content, maxMetadata))
		return err
	})
	return text, err
}

// stored reads a file without opening it.
func (a *archive) stored(ctx context.Context, entry FileEntry) error {
	file, err := a.file(ctx, entry)
	if err != nil {
		return err
	}
	defer file.from.Close()
	return file.finish(nil)
}

// callerError is a failure of who reads, not of what is read.
type callerError struct{ error }

// read passes the content of a file to use, and checks what is stored.
func (a *archive) read(ctx context.Context, entry FileEntry, use func(content io.Reader) error) error {
	file, err := a.file(ctx, entry)
	if err != nil {
		return err
	}
	defer file.from.Close()
	content, err := a.content(file)
	if err == nil {
		err = use(content)
	}
	if caller, ok := errors.AsType[callerError](err); ok {
		return caller.error
	}
	if errors.Is(err, ErrWrongIdentity) || errors.Is(err, ErrNeedsIdentity) {
		return err
	}
	return file.finish(err)
}

// content decrypts and decompresses what is stored.
func (a *archive) content(file *storedFile) (io.Reader, error) {
	var stored io.Reader = bufio.NewReaderSize(file, writeBuffer)
	if strings.HasSuffix(file.entry.Path, encryptedEnding) {
		if len(a.identities) == 0 {
			return nil, ErrNeedsIdentity
		}
		opened, err := age.Decrypt(stored, a.identities...)
		if err != nil {
			return nil, opening(err)
		}
		stored = opened
	}
	return gzip.NewReader(stored)
}

// storedFile is a file as stored. It is known to be whole only when finish
// says so.
type storedFile struct {
	backup string
	entry  FileEntry
	from   io.ReadCloser
	hash   hash.Hash
	bytes  int64
}

func (a *archive) file(ctx context.Context, entry FileEntry) (*storedFile, error) {
	name := a.manifest.Name
	from, err := a.store.Open(ctx, name, entry.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(name, entry.Path, "is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", entry.Path, name, err)
	}
	return &storedFile{backup: name, entry: entry, from: from, hash: sha256.New()}, nil
}

// Read reads what is stored.
func (f *storedFile) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	f.hash.Write(p[:n])
	f.bytes += int64(n)
	return n, err
}

// finish reads the rest and compares size and hash with the manifest. failure
// is why the content could not be read, nil if it could: when the file has
// changed, that explains it.
func (f *storedFile) finish(failure error) error {
	if _, err := io.Copy(io.Discard, f); err != nil {
		return fmt.Errorf("read %s of %s: %w", f.entry.Path, f.backup, err)
	}
	if f.bytes != f.entry.Bytes {
		return damaged(f.backup, f.entry.Path, fmt.Sprintf("has %d bytes, and %d were written", f.bytes, f.entry.Bytes))
	}
	if sum := hex.EncodeToString(f.hash.Sum(nil)); sum != f.entry.SHA256 {
		return damaged(f.backup, f.entry.Path, "has changed: its SHA-256 is "+sum+", and "+f.entry.SHA256+" was written")
	}
	if failure != nil {
		return damaged(f.backup, f.entry.Path, "cannot be read: "+failure.Error())
	}
	return nil
}
