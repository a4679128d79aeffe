package localdisk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// All implements media.Store.
func (s *Store) All(ctx context.Context) iter.Seq2[media.Asset, error] {
	return func(yield func(media.Asset, error) bool) {
		root := s.path("files")
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || ctx.Err() != nil || entry.IsDir() {
				return errors.Join(err, ctx.Err())
			}
			asset, known := describe(root, path, entry)
			if known && !yield(asset, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(media.Asset{}, fmt.Errorf("list the media directory: %w", err))
		}
	}
}

// describe tells what a walk knows of a file without opening it.
func describe(root, path string, entry fs.DirEntry) (media.Asset, bool) {
	name, err := filepath.Rel(root, path)
	info, errInfo := entry.Info()
	if err != nil || errInfo != nil {
		return media.Asset{}, false
	}
	name = filepath.ToSlash(name)
	for _, kind := range media.Kinds() {
		if filepath.ToSlash(filepath.Dir(name)) != kind.Folder() {
			continue
		}
		extension := filepath.Ext(name)
		id := name
		if kind.ResourceType() != media.ResourceRaw {
			id = strings.TrimSuffix(name, extension)
		}
		return media.Asset{
			Ref: media.Ref{PublicID: id, ResourceType: kind.ResourceType()}, Format: strings.TrimPrefix(extension, "."),
			Bytes: info.Size(), URL: Prefix + name, CreatedAt: info.ModTime().UTC(),
		}, true
	}
	return media.Asset{}, false
}

// Usage implements media.Store: what the files need, variants included, and
// the room of their disk.
func (s *Store) Usage(ctx context.Context) (media.Usage, error) {
	var objects, bytes int64
	for _, dir := range []string{"files", variants} {
		err := filepath.WalkDir(s.path(dir), func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || ctx.Err() != nil || entry.IsDir() {
				return errors.Join(err, ctx.Err())
			}
			if info, err := entry.Info(); err == nil {
				bytes += info.Size()
				if dir == "files" {
					objects++
				}
			}
			return nil
		})
		if err != nil {
			return media.Usage{}, fmt.Errorf("measure the media directory: %w", err)
		}
	}
	usage := media.Usage{Store: media.StoreLocal, Objects: &objects, Storage: media.Measure{Used: &bytes}}
	if free, ok := freeBytes(s.root); ok {
		limit := bytes + free
		percentage := media.Percentage(float64(bytes), float64(limit))
		usage.Storage.Limit, usage.Storage.Percentage = &limit, &percentage
	}
	return usage, nil
}

// served are the only paths that Open looks at; nothing in them can climb.
var served = regexp.MustCompile(`^(variants/)?etrainer/(images|audio|videos|documents)/[a-z0-9_]{1,64}(/[a-z0-9-]{1,64})?\.([a-z0-9]{2,4})$`)

// Open opens a file for delivery by its path below Prefix, and tells its
// format. ErrNotFound = there is none.
func (s *Store) Open(path string) (*os.File, mediafile.Format, error) {
	parts := served.FindStringSubmatch(path)
	if parts == nil || (parts[1] == "") != (parts[3] == "") {
		return nil, "", media.ErrNotFound
	}
	below := "files"
	if parts[1] != "" {
		below = "."
	}
	file, err := os.Open(s.path(below, filepath.FromSlash(path)))
	if err != nil {
		return nil, "", gone(err)
	}
	return file, mediafile.Format(parts[4]), nil
}
