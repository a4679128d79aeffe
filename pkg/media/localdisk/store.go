package localdisk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// Prefix is the path under which files are served.
const Prefix = "/media/"

// Store implements media.Store. It is safe for concurrent use.
type Store struct {
	root  string
	now   func() time.Time
	paint chan struct{} // one picture is redrawn at a time, which bounds memory
}

var _ media.Store = (*Store)(nil)

// Open makes the directories below root, and sweeps.
func Open(root string, now func() time.Time) (*Store, error) {
	s := newStore(root, now)
	for _, dir := range []string{s.Incoming(), s.path("files"), s.path("variants")} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("open the media directory: %w", err)
		}
	}
	return s, s.Sweep()
}

// Attach opens a directory that another process has made; fs.ErrNotExist when
// there is none. It changes nothing.
func Attach(root string, now func() time.Time) (*Store, error) {
	s := newStore(root, now)
	if _, err := os.Stat(s.path("files")); err != nil {
		return nil, fmt.Errorf("open the media directory: %w", err)
	}
	return s, nil
}

func newStore(root string, now func() time.Time) *Store {
	return &Store{root: root, now: now, paint: make(chan struct{}, 1)}
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.root}, parts...)...)
}

// Incoming is the directory in which files should be received: Put then moves
// them without a copy.
func (s *Store) Incoming() string { return s.path("incoming") }

// Name implements media.Store.
func (s *Store) Name() string { return media.StoreLocal }

// Ready implements media.Store.
func (s *Store) Ready() error { return nil }

// Put implements media.Store.
func (s *Store) Put(ctx context.Context, upload media.Upload) (media.Asset, error) {
	if !media.Own(upload.PublicID) {
		return media.Asset{}, fmt.Errorf("store %q: this is no id of ours", upload.PublicID)
	}
	name := fileName(upload.Ref(), string(upload.File.Format))
	if err := s.publish(upload.Path, s.path("files", filepath.FromSlash(name))); err != nil {
		return media.Asset{}, fmt.Errorf("store %s: %w", upload.PublicID, err)
	}
	ctx = context.WithoutCancel(ctx) // the file is there: to tell of it must not fail
	asset, err := s.Info(ctx, upload.Ref())
	if err == nil && upload.Kind == media.Image {
		asset.Thumbnail = s.thumbnail(ctx, upload.Ref())
	}
	return asset, err
}

// thumbnail makes the small picture; "" when the file cannot be redrawn.
func (s *Store) thumbnail(ctx context.Context, ref media.Ref) string {
	made, err := s.Optimize(ctx, ref, media.ThumbnailOf)
	if err != nil || !strings.HasPrefix(made[0].URL, Prefix+variants+"/") {
		return ""
	}
	return made[0].URL
}

// fileName is the name of a file: that of a raw one has its extension already.
func fileName(ref media.Ref, format string) string {
	if ref.ResourceType == media.ResourceRaw {
		return ref.PublicID
	}
	return ref.PublicID + "." + format
}

// find returns the format of a stored file, and its path.
func (s *Store) find(ref media.Ref) (mediafile.Format, string, error) {
	if !media.Own(ref.PublicID) {
		return "", "", media.ErrNotFound
	}
	for _, kind := range media.Kinds() {
		if kind.ResourceType() != ref.ResourceType || !strings.HasPrefix(ref.PublicID, kind.Folder()+"/") {
			continue
		}
		for _, format := range kind.Formats() {
			name := fileName(ref, string(format))
			if !strings.HasSuffix(name, "."+string(format)) {
				continue
			}
			path := s.path("files", filepath.FromSlash(name))
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return format, path, nil
			}
		}
	}
	return "", "", media.ErrNotFound
}

// Info implements media.Store. It measures the file again: nothing is kept
// beside it that could contradict it.
func (s *Store) Info(_ context.Context, ref media.Ref) (media.Asset, error) {
	format, path, err := s.find(ref)
	if err != nil {
		return media.Asset{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return media.Asset{}, gone(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	stat, err := file.Stat()
	if err != nil {
		return media.Asset{}, fmt.Errorf("inspect %s: %w", ref.PublicID, err)
	}
	info, _ := mediafile.Measure(file, stat.Size(), format) // what cannot be read stays zero
	return media.Asset{
		Ref: ref, Format: string(format), Bytes: stat.Size(), Width: info.Width, Height: info.Height, Duration: info.Duration,
		URL: Prefix + fileName(ref, string(format)), CreatedAt: stat.ModTime().UTC(),
	}, nil
}

// Delete implements media.Store: the variants go first, so that a crash leaves
// something to delete again.
func (s *Store) Delete(_ context.Context, ref media.Ref) error {
	_, path, err := s.find(ref)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.path(variants, filepath.FromSlash(ref.PublicID))); err != nil {
		return fmt.Errorf("delete the variants of %s: %w", ref.PublicID, err)
	}
	if err := os.Remove(path); err != nil {
		return gone(err)
	}
	// Again: one may have been drawn meanwhile, and found its picture there.
	if err := os.RemoveAll(s.path(variants, filepath.FromSlash(ref.PublicID))); err != nil {
		return fmt.Errorf("delete the variants of %s: %w", ref.PublicID, err)
	}
	return nil
}

// gone makes a missing file ErrNotFound.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return media.ErrNotFound
	}
	return err
}

// Health implements media.Store: it is well when it can be written to.
func (s *Store) Health(context.Context) media.Health {
	file, err := os.CreateTemp(s.Incoming(), "health-*")
	if err != nil {
		return media.Health{Err: fmt.Errorf("the media directory cannot be written to: %w", err)}
	}
	return media.Health{Err: errors.Join(file.Close(), os.Remove(file.Name()))}
}
