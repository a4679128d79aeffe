package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Compare reads a database and compares it with a backup: the collections, the
// count and content of each, and every index. nil = they are equal; ErrDiffers
// lists what is not. Collections that the backup left out are not looked at.
func Compare(ctx context.Context, store Store, name string, target Target, identities Identities) error {
	a, err := open(ctx, store, name, identities)
	if err != nil {
		return err
	}
	r := &restoration{archive: a, target: target, log: slog.New(slog.DiscardHandler)}
	return r.compare(ctx)
}

func (r *restoration) compare(ctx context.Context) error {
	reader, err := r.target.Open(ctx)
	if err != nil {
		return fmt.Errorf("open the restored database: %w", err)
	}
	defer reader.Close(ctx)
	found, err := reader.Collections(ctx, func(string) bool { return false })
	if err != nil {
		return fmt.Errorf("list the restored collections: %w", err)
	}
	kinds := map[string]string{}
	for _, c := range found {
		kinds[c.Name] = c.Kind
	}
	var differences []error
	for _, entry := range r.manifest.Collections {
		if kinds[entry.Name] != entry.Kind {
			differences = append(differences, fmt.Errorf("the %s %s is missing", entry.Kind, entry.Name))
			continue
		}
		if entry.Kind == KindView {
			continue
		}
		different, err := r.compareCollection(ctx, reader, entry)
		if err != nil {
			return fmt.Errorf("compare the collection %s: %w", entry.Name, err)
		}
		differences = append(differences, different...)
	}
	if len(differences) > 0 {
		return fmt.Errorf("%w: %w", ErrDiffers, errors.Join(differences...))
	}
	r.log.InfoContext(ctx, "the database equals the backup", slog.Int("collections", len(r.manifest.Collections)), slog.Int64("documents", r.manifest.Documents))
	return nil
}

func (r *restoration) compareCollection(ctx context.Context, reader Reader, entry CollectionEntry) ([]error, error) {
	var differences []error
	var sum contentSum
	var count int64
	err := reader.Documents(ctx, entry.Name, func(document []byte) error {
		count++
		sum.add(document)
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch {
	case count != entry.Documents:
		differences = append(differences, fmt.Errorf("%s has %d documents, and the backup %d", entry.Name, count, entry.Documents))
	case sum.String() != entry.Sum:
		differences = append(differences, fmt.Errorf("documents of %s differ from those of the backup", entry.Name))
	}
	metadata, err := r.metadata(ctx, entry)
	if err != nil {
		return nil, err
	}
	indexes, err := r.target.CompareIndexes(ctx, Collection{Name: entry.Name, Kind: entry.Kind, Metadata: metadata})
	for _, difference := range indexes {
		differences = append(differences, fmt.Errorf("%s: %s", entry.Name, difference))
	}
	return differences, err
}
