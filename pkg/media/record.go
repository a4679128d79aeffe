package media

import (
	"context"
	"iter"
	"time"
)

// Record is who owns a file.
type Record struct {
	Ref
	Kind         Kind
	Owner        string // user id
	Store        string // StoreLocal or StoreCloudinary
	Format       string
	Bytes        int64
	Width        int
	Height       int
	Duration     float64
	OriginalName string
	CreatedAt    time.Time
}

// Records keeps one Record for each file.
type Records interface {
	// Add stores a record.
	Add(ctx context.Context, record Record) error
	// Get finds one by its public id, or returns ErrNotFound.
	Get(ctx context.Context, publicID string) (Record, error)
	// Remove removes one; one that is not there is no error.
	Remove(ctx context.Context, publicID string) error
	// Known returns those of some ids that have a record.
	Known(ctx context.Context, publicIDs []string) (map[string]bool, error)
	// CreatedBefore walks over the records of a store that are older than a
	// time, in no order. It ends after the first error.
	CreatedBefore(ctx context.Context, store string, before time.Time) iter.Seq2[Record, error]
}
