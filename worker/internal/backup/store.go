package backup

import (
	"context"
	"errors"
	"io"
)

// Store is a place that keeps backups, such as a directory or a bucket.
//
// Paths of files have slashes and stay within their backup. A file that is not
// there gives an error that is fs.ErrNotExist.
type Store interface {
	// Begin starts a backup that nobody sees until it is committed. It removes
	// what crashed runs have left behind. ErrBusy = another process writes here.
	Begin(ctx context.Context, name string) (Draft, error)
	// Names lists the finished backups in order of their text.
	Names(ctx context.Context) ([]string, error)
	// Files lists the paths of a finished backup.
	Files(ctx context.Context, name string) ([]string, error)
	// Open reads a file of a finished backup.
	Open(ctx context.Context, name, path string) (io.ReadCloser, error)
	// Remove takes a backup away. Before anything of it is gone it has left
	// Names.
	Remove(ctx context.Context, name string) error
	// Location tells people and tools where a backup is: a path or an address.
	Location(name string) string
}

// Draft is a backup that is being written, by one goroutine. It ends by Commit
// or by Abort.
type Draft interface {
	// Create begins a file, in place of one of that path. Closing it makes it
	// durable. Close is called once, also after a failed write.
	Create(ctx context.Context, path string) (io.WriteCloser, error)
	// Commit gives the backup its name, all at once. The manifest must be the
	// last file that was written.
	Commit(ctx context.Context) error
	// Abort removes everything that was written.
	Abort(ctx context.Context) error
}

// ErrBusy means that another process writes a backup to the same place.
var ErrBusy = errors.New("another backup is being written to the same place: wait until it has ended")
