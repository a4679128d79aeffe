package backup

import (
	"context"
	"fmt"
	"slices"
)

// Verified is what Verify found to be whole.
type Verified struct {
	*Manifest
	// Opened tells that every document was read. It is false for an encrypted
	// backup without an identity, of which only the stored bytes were checked.
	Opened bool
}

// Verify reads every byte of a backup and compares it with the manifest: that
// no file is missing, cut off, changed or added, and that each holds the
// documents that were written. An encrypted backup needs identities for the
// last part.
func Verify(ctx context.Context, store Store, name string, identities Identities) (Verified, error) {
	a, err := open(ctx, store, name, identities)
	if err != nil {
		return Verified{}, err
	}
	opened := !a.manifest.Encrypted || len(identities) > 0
	return Verified{Manifest: a.manifest, Opened: opened}, a.verify(ctx, opened)
}

func (a *archive) verify(ctx context.Context, opened bool) error {
	if err := a.checkFiles(ctx); err != nil {
		return err
	}
	for _, c := range a.manifest.Collections {
		check := a.checkStored
		if opened {
			check = a.checkContent
		}
		if err := check(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// checkFiles compares the list of files with the manifest. A file too many
// matters: mongorestore would restore it.
func (a *archive) checkFiles(ctx context.Context) error {
	name := a.manifest.Name
	files, err := a.store.Files(ctx, name)
	if err != nil {
		return fmt.Errorf("list the files of %s: %w", name, err)
	}
	known := map[string]bool{ManifestFile: true, SumsFile: true}
	for _, file := range a.manifest.Files() {
		known[file.Path] = true
		if !slices.Contains(files, file.Path) {
			return damaged(name, file.Path, "is missing")
		}
	}
	for _, file := range files {
		if !known[file] {
			return damaged(name, file, "is not in the manifest")
		}
	}
	return nil
}

func (a *archive) checkStored(ctx context.Context, c CollectionEntry) error {
	if c.Data != nil {
		if err := a.stored(ctx, *c.Data); err != nil {
			return err
		}
	}
	return a.stored(ctx, c.Metadata)
}

func (a *archive) checkContent(ctx context.Context, c CollectionEntry) error {
	if err := a.documents(ctx, c, func([]byte) error { return nil }); err != nil {
		return err
	}
	_, err := a.metadata(ctx, c)
	return err
}
