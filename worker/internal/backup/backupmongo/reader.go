package backupmongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/worker/internal/backup"
)

// pageOf is how many documents are fetched at once; the server ends a page at
// 16 MiB all the same.
const pageOf = 1000

// lostCodes are how a server says that its history does not reach back: too
// old, or changed by an operation on the collection itself.
var lostCodes = []int{
	239, // SnapshotTooOld
	246, // SnapshotUnavailable
}

// reader implements backup.Reader.
type reader struct {
	db          *mongo.Database
	session     *mongo.Session // nil = without a snapshot
	consistency backup.Consistency
}

// Collections implements backup.Reader. It asks outside of the session:
// snapshots have documents only.
func (r *reader) Collections(ctx context.Context, skip func(string) bool) ([]backup.Collection, error) {
	specifications, err := list(ctx, r.db)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(specifications, func(a, b specification) int { return cmp.Compare(a.Name, b.Name) })
	var out []backup.Collection
	for _, s := range specifications {
		if skip(s.Name) {
			continue
		}
		c, err := r.collection(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("collection %s: %w", s.Name, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func (r *reader) collection(ctx context.Context, s specification) (backup.Collection, error) {
	c := backup.Collection{Name: s.Name, Kind: backup.KindCollection}
	collection := r.db.Collection(s.Name)
	m := metadataOf(s)
	switch s.Type {
	case "view":
		c.Kind = backup.KindView
	case "timeseries":
		return c, errors.New("time series cannot be backed up by this program: use mongodump for it, and name it in BACKUP_EXCLUDE")
	default:
		var err error
		if m.Indexes, err = indexesOf(ctx, collection); err != nil {
			return c, fmt.Errorf("list the indexes: %w", err)
		}
		if c.Estimate, err = collection.EstimatedDocumentCount(ctx); err != nil {
			return c, fmt.Errorf("estimate the count: %w", err)
		}
	}
	var err error
	c.Metadata, err = m.encode()
	return c, err
}

// Documents implements backup.Reader.
func (r *reader) Documents(ctx context.Context, collection string, each func([]byte) error) error {
	reading := ctx
	if r.session != nil {
		reading = mongo.NewSessionContext(ctx, r.session)
	}
	cursor, err := r.db.Collection(collection).Find(reading, bson.D{}, options.Find().SetBatchSize(pageOf))
	if err != nil {
		return r.failed(err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(reading)) }() // the server need not keep it open
	for cursor.Next(reading) {
		if err := ctx.Err(); err != nil { // a page is buffered: Next may not ask
			return context.Cause(ctx)
		}
		if err := each(cursor.Current); err != nil {
			return err
		}
	}
	return r.failed(cursor.Err())
}

// failed tells a lost snapshot from other failures.
func (r *reader) failed(err error) error {
	server, ok := errors.AsType[mongo.ServerError](err)
	if r.session != nil && ok && slices.ContainsFunc(lostCodes, server.HasErrorCode) {
		return fmt.Errorf("%w: %w", backup.ErrSnapshotLost, err)
	}
	return err
}

// Consistency implements backup.Reader.
func (r *reader) Consistency() backup.Consistency { return r.consistency }

// Loosen implements backup.Reader.
func (r *reader) Loosen(reason error) {
	r.consistency = backup.Consistency{Why: "the first collections were read at one cluster time and the others later: " +
		reason.Error() + "; raise the server's minSnapshotHistoryWindowInSeconds above the length of a backup"}
	r.session = nil
}

// Close implements backup.Reader.
func (r *reader) Close(ctx context.Context) {
	if r.session != nil {
		r.session.EndSession(ctx)
	}
}
