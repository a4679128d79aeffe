package media

import (
	"context"
	"iter"
)

// The names of the stores, as in Record.Store.
const (
	StoreLocal      = "local"
	StoreCloudinary = "cloudinary"
)

// Store keeps files. It is safe for concurrent use.
//
// Failures are ErrNotFound, *UnavailableError and *RefusedError, tested with
// errors.Is and errors.As; any other is a defect or a broken configuration.
type Store interface {
	// Name is StoreLocal or StoreCloudinary.
	Name() string
	// Ready returns nil, or an *UnavailableError when the store is known to be
	// away, so that nobody sends a long file in vain. It costs nothing.
	Ready() error
	// Put keeps a file. It has it whole or not at all; after an error nothing
	// is left that Delete would find, except when the store went away and
	// cannot be asked: see UnavailableError.Sent.
	Put(ctx context.Context, upload Upload) (Asset, error)
	// Delete removes a file, everything made from it, and copies on the way to
	// clients. ErrNotFound = it was not there.
	Delete(ctx context.Context, ref Ref) error
	// Info describes a file, or returns ErrNotFound.
	Info(ctx context.Context, ref Ref) (Asset, error)
	// Optimize returns a picture in other measures, one for each transform. A
	// store that makes them first returns ErrNotFound when there is no such
	// picture, and the picture as it is, with the reason, where it is not
	// redrawn.
	Optimize(ctx context.Context, ref Ref, transforms ...Transform) ([]Variant, error)
	// All walks over the files in the folder Root and below, of every resource
	// type, in no order. It ends after the first error.
	All(ctx context.Context) iter.Seq2[Asset, error]
	// Usage tells what is used of what there is.
	Usage(ctx context.Context) (Usage, error)
	// Health tells how the store is. It may tell what it saw within the last
	// minute, and never waits longer than a second.
	Health(ctx context.Context) Health
}

// Health is the answer of Store.Health.
type Health struct {
	// Err is why the store cannot be used; nil = it can.
	Err error
	// RateLimit is what the store's api still allows; nil = it has none, or it
	// is not known.
	RateLimit *RateLimit
}
