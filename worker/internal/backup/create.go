package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

const (
	// pageOf is after how many documents the progress is told.
	pageOf = 1000
	// abortTimeout bounds the removal of a backup that failed: it has to
	// happen although the run may have been cancelled.
	abortTimeout = time.Minute
)

// CreateOptions are those of Create.
type CreateOptions struct {
	// Recipients encrypt the backup. The zero value = it is not encrypted.
	Recipients Recipients
	// Exclude names collections that are left out. The manifest lists those
	// that exist.
	Exclude []string
	// Run names the run of a job: a backup that the same run has finished
	// before is returned in place of a second one. "" = by hand.
	Run string
	// RunSince is the earliest time at which that backup may have started.
	RunSince time.Time
	// Product is the version that the manifest names.
	Product string
	// Now is the clock.
	Now func() time.Time
	// Log tells of each collection. Progress hears from 0 to 100. nil = silence.
	Log      *slog.Logger
	Progress func(percent float64, message string)
}

// Created is what Create made.
type Created struct {
	*Manifest
	Location string // where it is
	SHA256   string // of the manifest, which has those of all files
	Reused   bool   // an earlier attempt of the same run made it
}

// Create copies every collection of the source into a new backup of the store.
// It is finished and whole, or there is none: whatever fails, what was written
// is removed, and earlier backups are untouched.
func Create(ctx context.Context, source Source, store Store, options CreateOptions) (Created, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Progress == nil {
		options.Progress = func(float64, string) {}
	}
	if made, err := madeBefore(ctx, source.Database(), store, options); err != nil || made != nil {
		return withLocation(made, store), err
	}
	started := options.Now().UTC().Truncate(time.Millisecond)
	name := NameOf(source.Database(), started)
	draft, err := store.Begin(ctx, name)
	if err != nil {
		return Created{}, readable(fmt.Errorf("begin the backup: %w", err), store.Location(name))
	}
	c := &creation{CreateOptions: options, source: source, draft: draft, manifest: &Manifest{
		Format: format, Name: name, Database: source.Database(), Engine: source.Engine(), Product: options.Product,
		Started: started, Encrypted: len(options.Recipients.keys) > 0, Recipients: options.Recipients.texts, Run: options.Run,
	}}
	sum, err := c.write(ctx)
	if err == nil {
		err = draft.Commit(ctx)
	}
	if err != nil {
		// The run may be cancelled, and what it wrote must go all the same.
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		return Created{}, readable(errors.Join(err, draft.Abort(detached)), store.Location(name))
	}
	return Created{Manifest: c.manifest, Location: store.Location(name), SHA256: sum}, nil
}

// creation is one backup on its way.
type creation struct {
	CreateOptions
	source   Source
	reader   Reader
	draft    Draft
	manifest *Manifest

	expected, done int64 // documents
}

// write writes every file, the manifest last, and returns its SHA-256.
func (c *creation) write(ctx context.Context) (string, error) {
	reader, err := c.source.Open(ctx)
	if err != nil {
		return "", fmt.Errorf("open the database: %w", err)
	}
	defer reader.Close(context.WithoutCancel(ctx)) // a cancelled run gives its session back, too
	c.reader = reader
	collections, err := reader.Collections(ctx, c.skip)
	if err != nil {
		return "", fmt.Errorf("list the collections: %w", err)
	}
	slices.Sort(c.manifest.Excluded)
	for _, collection := range collections {
		c.expected += collection.Estimate
	}
	for _, collection := range collections {
		entry, err := c.collection(ctx, collection)
		if err != nil {
			return "", fmt.Errorf("back up the collection %s: %w", collection.Name, err)
		}
		c.add(ctx, entry)
	}
	return c.finish(ctx)
}

// skip leaves out what the configuration excludes, and remembers it.
func (c *creation) skip(name string) bool {
	excluded := slices.Contains(c.Exclude, name)
	if excluded {
		c.manifest.Excluded = append(c.manifest.Excluded, name)
	}
	return excluded
}

// collection writes one collection. When the snapshot ends on the way, it is
// read again from its beginning, and the backup is no longer consistent.
func (c *creation) collection(ctx context.Context, collection Collection) (CollectionEntry, error) {
	done := c.done
	entry, err := c.copyCollection(ctx, collection)
	if !errors.Is(err, ErrSnapshotLost) {
		return entry, err
	}
	c.Log.WarnContext(ctx, "the snapshot is lost; going on without", slog.String("collection", collection.Name), slog.Any("error", err))
	c.reader.Loosen(err)
	c.done = done
	return c.copyCollection(ctx, collection)
}

func (c *creation) copyCollection(ctx context.Context, collection Collection) (CollectionEntry, error) {
	entry := CollectionEntry{Name: collection.Name, Kind: collection.Kind}
	var sum contentSum
	if collection.Kind == KindCollection {
		data, err := c.file(ctx, dataPath(c.manifest.Database, collection.Name), func(w io.Writer) error {
			return c.reader.Documents(ctx, collection.Name, func(document []byte) error {
				entry.Documents++
				sum.add(document)
				c.tell(collection.Name)
				_, err := w.Write(document)
				return err
			})
		})
		if err != nil {
			return entry, err
		}
		entry.Data = &data
	}
	entry.Sum = sum.String()
	var err error
	entry.Metadata, err = c.file(ctx, metadataPath(c.manifest.Database, collection.Name), func(w io.Writer) error {
		_, err := w.Write(collection.Metadata)
		return err
	})
	return entry, err
}

// tell reports the progress after each page. The last percent is for the end.
func (c *creation) tell(collection string) {
	c.done++
	if c.done%pageOf == 0 {
		c.Progress(99*float64(c.done)/float64(max(c.expected, c.done)), "copying "+collection)
	}
}

// file writes one file.
func (c *creation) file(ctx context.Context, path string, fill func(io.Writer) error) (FileEntry, error) {
	w, err := newFile(ctx, c.draft, path, c.Recipients)
	if err != nil {
		return FileEntry{}, err
	}
	filled := fill(w)
	entry, err := w.Close()
	if filled != nil {
		return FileEntry{}, filled
	}
	return entry, err
}

// add enters a collection into the manifest.
func (c *creation) add(ctx context.Context, entry CollectionEntry) {
	m := c.manifest
	m.Collections = append(m.Collections, entry)
	m.Documents += entry.Documents
	bytes := entry.Metadata.Bytes
	if entry.Data != nil {
		bytes += entry.Data.Bytes
	}
	m.Bytes += bytes
	c.Log.InfoContext(ctx, "collection backed up", slog.String("collection", entry.Name),
		slog.Int64("documents", entry.Documents), slog.Int64("bytes", bytes))
}

// finish writes the sums and, last of all, the manifest.
func (c *creation) finish(ctx context.Context) (string, error) {
	consistency := c.reader.Consistency()
	c.manifest.Consistent, c.manifest.Consistency = consistency.Consistent, consistency.Why
	c.manifest.Finished = c.Now().UTC().Truncate(time.Millisecond)
	text, err := c.manifest.encode()
	if err != nil {
		return "", fmt.Errorf("encode the manifest: %w", err)
	}
	sum := hexSum(text)
	if err := c.plain(ctx, SumsFile, c.manifest.sums(sum)); err != nil {
		return "", err
	}
	return sum, c.plain(ctx, ManifestFile, text)
}

// plain writes a file as it is: neither compressed nor encrypted.
func (c *creation) plain(ctx context.Context, path string, text []byte) error {
	file, err := c.draft.Create(ctx, path)
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	_, err = io.Copy(file, bytes.NewReader(text))
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// madeBefore finds the backup that an earlier attempt of the same run has
// finished, nil if there is none.
func madeBefore(ctx context.Context, database string, store Store, options CreateOptions) (*Created, error) {
	if options.Run == "" {
		return nil, nil
	}
	names, err := store.Names(ctx)
	if err != nil {
		return nil, readable(fmt.Errorf("look for a backup of this run: %w", err), store.Location(""))
	}
	for _, name := range slices.Backward(names) {
		of, started, err := ParseName(name)
		if err != nil || of != database || started.Before(options.RunSince) {
			continue
		}
		manifest, sum, err := readManifest(ctx, store, name)
		if err == nil && manifest.Run == options.Run {
			return &Created{Manifest: manifest, SHA256: sum, Reused: true}, nil
		}
	}
	return nil, nil
}

func withLocation(made *Created, store Store) Created {
	if made == nil {
		return Created{}
	}
	made.Location = store.Location(made.Name)
	return *made
}
