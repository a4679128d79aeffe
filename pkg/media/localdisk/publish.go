package localdisk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// publish moves a complete file to its place. Its bytes are on the disk before
// it appears, and the directory's after.
func (s *Store) publish(from, to string) error {
	if err := flush(from); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	err := os.Rename(from, to)
	if errors.Is(err, syscall.EXDEV) { // received on another disk
		err = s.copyIn(from, to)
	}
	if err != nil {
		return err
	}
	return flush(filepath.Dir(to))
}

// copyIn copies a file into incoming, and moves it from there.
func (s *Store) copyIn(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was only read
	return s.write(to, func(w io.Writer) error {
		_, err := io.Copy(w, source)
		return err
	})
}

// write makes a file that is there whole or not at all.
func (s *Store) write(to string, fill func(io.Writer) error) error {
	file, err := os.CreateTemp(s.Incoming(), "new-*")
	if err != nil {
		return err
	}
	err = errors.Join(fill(file), file.Sync(), file.Close())
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o750)
	}
	if err == nil {
		err = os.Rename(file.Name(), to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(to), err), os.Remove(file.Name()))
	}
	return nil
}

// flush makes a file, or a directory, survive a power cut.
func flush(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
