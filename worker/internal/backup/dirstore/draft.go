package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// draft implements backup.Draft.
type draft struct {
	store *Store
	name  string
	dir   string // hidden
	lock  *flock.Flock
}

// Create implements backup.Draft.
func (d *draft) Create(_ context.Context, path string) (io.WriteCloser, error) {
	whole := filepath.Join(d.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(whole), folderMode); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(whole, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// file is on the disk when it is closed.
type file struct{ *os.File }

func (f file) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// Commit implements backup.Draft: the folders reach the disk, then the name.
func (d *draft) Commit(context.Context) error {
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return syncFolder(path)
	})
	if err != nil {
		return fmt.Errorf("bring the folders to the disk: %w", err)
	}
	if err := os.Rename(d.dir, filepath.Join(d.store.dir, d.name)); err != nil {
		return fmt.Errorf("give the backup its name: %w", err)
	}
	if err := syncFolder(d.store.dir); err != nil {
		return fmt.Errorf("bring the name to the disk: %w", err)
	}
	return d.lock.Unlock()
}

// Abort implements backup.Draft.
func (d *draft) Abort(context.Context) error {
	return errors.Join(os.RemoveAll(d.dir), d.lock.Unlock())
}

// syncFolder brings the names in a folder to the disk.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
