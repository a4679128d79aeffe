package backup

import (
	"context"
	"fmt"
	"slices"
)

// Listed is one line of a list.
type Listed struct {
	Name string
	// Manifest is nil when it cannot be read; Problem tells why.
	Manifest *Manifest
	Problem  error
}

// List reads the manifests of all finished backups, in order of their names.
func List(ctx context.Context, store Store) ([]Listed, error) {
	names, err := store.Names(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the backups: %w", err)
	}
	list := make([]Listed, 0, len(names))
	for _, name := range names {
		manifest, _, err := readManifest(ctx, store, name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		list = append(list, Listed{Name: name, Manifest: manifest, Problem: err})
	}
	return list, nil
}

// Newest returns the name of the backup that started last. ErrNotFound = there
// is none. When there are backups of several databases it does not choose.
func Newest(ctx context.Context, store Store) (string, error) {
	names, err := store.Names(ctx)
	if err != nil {
		return "", fmt.Errorf("list the backups: %w", err)
	}
	newest, database := "", ""
	for _, name := range slices.Sorted(slices.Values(names)) { // of one database: by time
		of, _, err := ParseName(name)
		switch {
		case err != nil:
			continue
		case database != "" && of != database:
			return "", fmt.Errorf("%s has backups of %s and of %s: name the one that you mean", store.Location(""), database, of)
		}
		newest, database = name, of
	}
	if newest == "" {
		return "", fmt.Errorf("%w at %s", ErrNotFound, store.Location(""))
	}
	return newest, nil
}
