package s3store

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"
)

const (
	// smallObject is up to which size a file is sent in one request.
	smallObject = 1 << 20
	// partSize is what a larger one is cut into, and what is held in memory. A
	// service takes 10,000 parts: 156 GiB for one compressed collection.
	partSize = 16 << 20
)

// draft implements backup.Draft.
type draft struct {
	store *Store
	name  string
}

// Create implements backup.Draft.
func (d *draft) Create(ctx context.Context, file string) (io.WriteCloser, error) {
	reader, writer := io.Pipe()
	o := &object{pipe: writer, done: make(chan error, 1)}
	key := d.store.key(d.name, file)
	go func() {
		err := d.store.put(ctx, key, reader)
		_ = reader.CloseWithError(err) // who writes on learns why it ended
		o.done <- err
	}()
	return o, nil
}

// put sends a stream of unknown length. Buckets with object lock want the MD5,
// and every service compares it.
func (s *Store) put(ctx context.Context, key string, from io.Reader) error {
	var head bytes.Buffer
	_, err := io.CopyN(&head, from, smallObject)
	switch {
	case errors.Is(err, io.EOF):
		_, err = s.client.PutObject(ctx, s.Bucket, key, &head, int64(head.Len()), minio.PutObjectOptions{SendContentMd5: true})
	case err == nil:
		_, err = s.client.PutObject(ctx, s.Bucket, key, io.MultiReader(&head, from), -1, minio.PutObjectOptions{PartSize: partSize, SendContentMd5: true})
	}
	return err
}

// object is one upload. Its goroutine ends with Close, or when it fails.
type object struct {
	pipe *io.PipeWriter
	done chan error
}

func (o *object) Write(p []byte) (int, error) { return o.pipe.Write(p) }

// Close ends the object and waits until the service has it.
func (o *object) Close() error {
	_ = o.pipe.Close() // never fails
	return <-o.done
}

// Commit implements backup.Draft: the manifest, which was written last, has
// made it a backup.
func (*draft) Commit(context.Context) error { return nil }

// Abort implements backup.Draft.
func (d *draft) Abort(ctx context.Context) error { return d.store.clear(ctx, d.name) }
