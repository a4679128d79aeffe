// Package dirstore keeps backups in a directory, each in a folder of its own.
//
// A backup is written into a hidden folder and renamed when it is whole and on
// the disk. Folders are for their owner alone (0700), and so are files (0600):
// a backup has the password hashes of all users.
package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/etrainer/backend/worker/internal/backup"
)

const (
	partial  = ".partial-" // before the name: it is being written
	removed  = ".removed-" // before the name: it is being removed
	lockFile = ".lock"     // held while a backup is written

	folderMode, fileMode = 0o700, 0o600
)

// Store implements backup.Store.
type Store struct{ dir string }

var _ backup.Store = (*Store)(nil)

// New returns the store in a directory, which is made when it is first
// written to.
func New(dir string) *Store { return &Store{dir: dir} }

// Location implements backup.Store.
func (s *Store) Location(name string) string {
	path := filepath.Join(s.dir, name)
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}

// Begin implements backup.Store. Who writes holds a lock that ends with the
// process, so that whatever is unfinished when it is free is left over.
func (s *Store) Begin(_ context.Context, name string) (backup.Draft, error) {
	if err := os.MkdirAll(s.dir, folderMode); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(s.dir, lockFile), flock.SetPermissions(fileMode))
	switch free, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the directory: %w", err)
	case !free:
		return nil, backup.ErrBusy
	}
	d := &draft{store: s, name: name, dir: filepath.Join(s.dir, partial+name), lock: lock}
	if err := errors.Join(s.sweep(), os.Mkdir(d.dir, folderMode)); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return d, nil
}

// sweep removes what ended half way.
func (s *Store) sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), partial) || strings.HasPrefix(entry.Name(), removed) {
			if err := os.RemoveAll(filepath.Join(s.dir, entry.Name())); err != nil {
				return fmt.Errorf("remove what an earlier run left: %w", err)
			}
		}
	}
	return nil
}

// Names implements backup.Store. Other files in the directory are ignored.
func (s *Store) Names(context.Context) ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if _, _, err := backup.ParseName(entry.Name()); err == nil && entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Files implements backup.Store.
func (s *Store) Files(_ context.Context, name string) ([]string, error) {
	var files []string
	root := filepath.Join(s.dir, name)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := filepath.Rel(root, path)
		files = append(files, filepath.ToSlash(file))
		return err
	})
	return files, err
}

// Open implements backup.Store. No link leads out of the backup.
func (s *Store) Open(_ context.Context, name, path string) (io.ReadCloser, error) {
	return os.OpenInRoot(filepath.Join(s.dir, name), filepath.FromSlash(path))
}

// Remove implements backup.Store.
func (s *Store) Remove(_ context.Context, name string) error {
	hidden := filepath.Join(s.dir, removed+name)
	if err := os.Rename(filepath.Join(s.dir, name), hidden); err != nil {
		return err
	}
	if err := syncFolder(s.dir); err != nil {
		return err
	}
	return os.RemoveAll(hidden)
}
