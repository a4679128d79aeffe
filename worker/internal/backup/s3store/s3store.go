// Package s3store keeps backups in a bucket of S3 or of a service that speaks
// its language, such as MinIO, R2 or Spaces.
//
// A bucket has no renames. A backup exists when its manifest does, and that is
// written last; objects without a manifest are what is being written, or what a
// crash left, which goes when it is a day old.
package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/worker/internal/backup"
)

// leftAfter is the age at which an unfinished backup is known to be left over:
// no job runs for so long.
const leftAfter = 24 * time.Hour

// Options say where the bucket is.
type Options struct {
	Endpoint *url.URL // of the service, such as https://s3.eu-central-1.amazonaws.com
	Bucket   string
	Prefix   string // before the names, without slashes at its ends; "" = none
	Region   string // "" = asked from the service
	// AccessKey and SecretKey are the credentials. Both empty = those of the
	// machine: an instance role, or a web identity in Kubernetes.
	AccessKey string
	SecretKey config.Secret
	// Transport sends the requests. nil = the client's own.
	Transport http.RoundTripper
	// Now is the clock.
	Now func() time.Time
}

// Store implements backup.Store.
type Store struct {
	client *minio.Client
	Options
}

var _ backup.Store = (*Store)(nil)

// New returns the store in a bucket. It does not ask the service.
func New(o Options) (*Store, error) {
	provider := credentials.NewIAM("")
	if o.AccessKey != "" {
		provider = credentials.NewStaticV4(o.AccessKey, o.SecretKey.Reveal(), "")
	}
	client, err := minio.New(o.Endpoint.Host, &minio.Options{
		Creds: provider, Secure: o.Endpoint.Scheme == "https", Region: o.Region, Transport: o.Transport,
	})
	if err != nil {
		return nil, fmt.Errorf("use the bucket %s at %s: %w", o.Bucket, o.Endpoint.Host, err)
	}
	return &Store{client: client, Options: o}, nil
}

// Location implements backup.Store.
func (s *Store) Location(name string) string {
	return "s3://" + path.Join(s.Bucket, s.Prefix, name)
}

// key is the object of a file.
func (s *Store) key(name, file string) string { return path.Join(s.Prefix, name, file) }

// folder is the beginning of the keys of a backup; of all for "".
func (s *Store) folder(name string) string {
	if joined := path.Join(s.Prefix, name); joined != "" {
		return joined + "/"
	}
	return ""
}

// Begin implements backup.Store.
func (s *Store) Begin(ctx context.Context, name string) (backup.Draft, error) {
	exists, err := s.client.BucketExists(ctx, s.Bucket)
	if err != nil {
		return nil, fmt.Errorf("ask for the bucket %s: %w", s.Bucket, err)
	}
	if !exists {
		return nil, fmt.Errorf("there is no bucket %s at %s: make it, or mend BACKUP_S3_BUCKET", s.Bucket, s.Endpoint.Host)
	}
	if err := s.sweep(ctx); err != nil {
		return nil, fmt.Errorf("remove what an earlier run left: %w", err)
	}
	return &draft{store: s, name: name}, nil
}

// sweep removes what ended half way and is old enough.
func (s *Store) sweep(ctx context.Context) error {
	names, err := s.folders(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		_, started, err := backup.ParseName(name)
		if err != nil || s.Now().Sub(started) < leftAfter {
			continue
		}
		finished, err := s.finished(ctx, name)
		if err == nil && !finished {
			err = s.clear(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// folders lists the names of all backups, finished or not.
func (s *Store) folders(ctx context.Context) ([]string, error) {
	var names []string
	prefix := s.folder("")
	for object := range s.client.ListObjectsIter(ctx, s.Bucket, minio.ListObjectsOptions{Prefix: prefix}) {
		if object.Err != nil {
			return nil, object.Err
		}
		name, isFolder := strings.CutSuffix(strings.TrimPrefix(object.Key, prefix), "/")
		if _, _, err := backup.ParseName(name); err == nil && isFolder {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// finished reports whether a backup has its manifest.
func (s *Store) finished(ctx context.Context, name string) (bool, error) {
	_, err := s.client.StatObject(ctx, s.Bucket, s.key(name, backup.ManifestFile), minio.StatObjectOptions{})
	if err = missing(err); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Names implements backup.Store.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	names, err := s.folders(ctx)
	if err != nil {
		return nil, missing(err)
	}
	var out []string
	for _, name := range names {
		finished, err := s.finished(ctx, name)
		if err != nil {
			return nil, err
		}
		if finished {
			out = append(out, name)
		}
	}
	return out, nil
}

// Files implements backup.Store.
func (s *Store) Files(ctx context.Context, name string) ([]string, error) {
	var files []string
	prefix := s.folder(name)
	for object := range s.client.ListObjectsIter(ctx, s.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return nil, object.Err
		}
		files = append(files, strings.TrimPrefix(object.Key, prefix))
	}
	return files, nil
}

// Open implements backup.Store.
func (s *Store) Open(ctx context.Context, name, file string) (io.ReadCloser, error) {
	object, err := s.client.GetObject(ctx, s.Bucket, s.key(name, file), minio.GetObjectOptions{})
	if err != nil {
		return nil, missing(err)
	}
	if _, err := object.Stat(); err != nil { // the first request is made here
		return nil, errors.Join(missing(err), object.Close())
	}
	return object, nil
}

// Remove implements backup.Store: the manifest goes first.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := s.client.RemoveObject(ctx, s.Bucket, s.key(name, backup.ManifestFile), minio.RemoveObjectOptions{}); err != nil {
		return err
	}
	return s.clear(ctx, name)
}

// clear removes every object of a backup, and uploads that never ended.
func (s *Store) clear(ctx context.Context, name string) error {
	files, err := s.Files(ctx, name)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := s.client.RemoveObject(ctx, s.Bucket, s.key(name, file), minio.RemoveObjectOptions{}); err != nil {
			return err
		}
	}
	return s.clearUploads(ctx, name)
}

// clearUploads ends uploads that were never completed: a service keeps, and
// charges for, their parts.
func (s *Store) clearUploads(ctx context.Context, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing when it is left early
	for upload := range s.client.ListIncompleteUploads(ctx, s.Bucket, s.folder(name), true) {
		err := upload.Err
		if err == nil {
			err = s.client.RemoveIncompleteUpload(ctx, s.Bucket, upload.Key)
		}
		if err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchUpload { // some say so when there is none
			return err
		}
	}
	return nil
}

// missing makes the service's word for it fs.ErrNotExist.
func missing(err error) error {
	if err == nil {
		return nil
	}
	if answer := minio.ToErrorResponse(err); answer.Code == minio.NoSuchKey {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
