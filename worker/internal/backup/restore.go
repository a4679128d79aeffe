package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	// A page of documents to insert ends at whichever comes first.
	pageDocuments = 1000
	pageBytes     = 4 << 20
	// namesShown bounds the list of collections in an error.
	namesShown = 5
)

// RestoreOptions are those of Restore.
type RestoreOptions struct {
	// Identities open an encrypted backup.
	Identities Identities
	// Drop removes every collection of the target first, also those that the
	// backup does not have. Without it, a target that has any is refused.
	Drop bool
	// Log tells of each step. nil = silence.
	Log *slog.Logger
}

// Restore fills a database from a backup and compares the two.
//
// It verifies the whole backup, and that the target is empty, before it
// changes anything. Then it restores all documents, then the indexes, then the
// views, and at last reads everything back: the count and content of every
// collection, and every index. ErrDiffers = something is not as in the backup.
//
// ErrPartial = it failed after the first change, and the target holds a part of
// the backup; restore again with Drop.
func Restore(ctx context.Context, store Store, name string, target Target, options RestoreOptions) (*Manifest, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	a, err := open(ctx, store, name, options.Identities)
	if err != nil {
		return nil, err
	}
	if a.manifest.Encrypted && len(options.Identities) == 0 {
		return nil, ErrNeedsIdentity
	}
	r := &restoration{archive: a, target: target, log: options.Log}
	options.Log.InfoContext(ctx, "checking the backup", slog.String("backup", name))
	if err := a.verify(ctx, true); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx, options.Drop); err != nil {
		return nil, err
	}
	if err := r.fill(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPartial, err)
	}
	return a.manifest, r.compare(ctx)
}

// restoration is one restore on its way.
type restoration struct {
	*archive
	target Target
	log    *slog.Logger
}

// prepare makes sure that the target is empty.
func (r *restoration) prepare(ctx context.Context, drop bool) error {
	present, err := r.present(ctx)
	if err != nil || len(present) == 0 {
		return err
	}
	if !drop {
		shown := strings.Join(present[:min(len(present), namesShown)], ", ")
		if more := len(present) - namesShown; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		return fmt.Errorf("%w: %s has the collections %s; restore into another database, or drop all of these first (--force)",
			ErrNotEmpty, r.target.Database(), shown)
	}
	r.log.WarnContext(ctx, "dropping every collection", slog.String("database", r.target.Database()), slog.Int("collections", len(present)))
	if err := r.target.Clear(ctx); err != nil {
		return fmt.Errorf("drop the collections of %s: %w", r.target.Database(), err)
	}
	return nil
}

// present lists the collections of the target.
func (r *restoration) present(ctx context.Context) ([]string, error) {
	reader, err := r.target.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the database to restore into: %w", err)
	}
	defer reader.Close(ctx)
	var names []string
	_, err = reader.Collections(ctx, func(name string) bool { // skipping all: nothing but the names is of interest
		names = append(names, name)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("list the collections of %s: %w", r.target.Database(), err)
	}
	return names, nil
}

// fill restores the documents, then the indexes, then the views, which need
// the collections that they look at. An index or a view that the engine refuses
// does not keep the others away.
func (r *restoration) fill(ctx context.Context) error {
	var views []Collection
	var collections []Collection
	for _, entry := range r.manifest.Collections {
		metadata, err := r.metadata(ctx, entry)
		if err != nil {
			return err
		}
		c := Collection{Name: entry.Name, Kind: entry.Kind, Metadata: metadata}
		if c.Kind == KindView {
			views = append(views, c)
			continue
		}
		collections = append(collections, c)
		if err := r.documentsOf(ctx, entry, c); err != nil {
			return fmt.Errorf("restore the collection %s: %w", c.Name, err)
		}
		r.log.InfoContext(ctx, "documents restored", slog.String("collection", c.Name), slog.Int64("documents", entry.Documents))
	}
	var failures []error
	for _, c := range collections {
		if err := r.target.CreateIndexes(ctx, c); err != nil {
			failures = append(failures, fmt.Errorf("make the indexes of %s: %w", c.Name, err))
		}
	}
	for _, c := range views {
		if err := r.target.CreateCollection(ctx, c); err != nil {
			failures = append(failures, fmt.Errorf("make the view %s: %w", c.Name, err))
		}
	}
	return errors.Join(failures...)
}

// documentsOf makes a collection and fills it page by page.
func (r *restoration) documentsOf(ctx context.Context, entry CollectionEntry, c Collection) error {
	if err := r.target.CreateCollection(ctx, c); err != nil {
		return fmt.Errorf("create it: %w", err)
	}
	var page [][]byte
	size := 0
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := r.target.Insert(ctx, c.Name, page)
		page, size = page[:0], 0
		return err
	}
	err := r.documents(ctx, entry, func(document []byte) error {
		page, size = append(page, bytes.Clone(document)), size+len(document)
		if len(page) < pageDocuments && size < pageBytes {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
