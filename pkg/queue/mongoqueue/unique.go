package mongoqueue

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// upsertUnique is Agenda's unique(): change the job that has these payload
// values, or insert one. Agenda's upsert has no unique index behind it, so two
// of them can make two jobs; here both insert the same _id, and the later one
// changes the earlier's job.
func (s *Store) upsertUnique(ctx context.Context, document *job.Document, unique *queue.Unique) (queue.Receipt, error) {
	filter, err := uniqueFilter(document.Name, unique.By)
	if err != nil {
		return queue.Receipt{}, err
	}
	text, err := bson.MarshalExtJSON(filter, true, false)
	if err != nil {
		return queue.Receipt{}, fmt.Errorf("encode the unique fields of %q: %w", document.Name, err)
	}
	document.ID = derivedID("unique", string(text))
	for range 2 {
		found, err := s.replaceUnique(ctx, filter, document, unique.InsertOnly)
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return queue.Receipt{Job: found}, wrap(err, "change a unique job")
		}
		_, err = s.jobs.InsertOne(ctx, document.Fields())
		if !isOnlyDuplicate(err) { // else another call was faster: its job is there now
			return queue.Receipt{Job: document, Created: true}, wrap(err, "insert a unique job")
		}
	}
	// The job with the derived id has other payload values by now.
	document.ID = bson.NewObjectID()
	_, err = s.jobs.InsertOne(ctx, document.Fields())
	return queue.Receipt{Job: document, Created: true}, wrap(err, "insert a unique job")
}

// replaceUnique changes the job that is there, or only looks at it.
func (s *Store) replaceUnique(ctx context.Context, filter bson.D, document *job.Document, insertOnly bool) (*job.Document, error) {
	if insertOnly {
		// A write that changes nothing waits until a majority has what it met;
		// a read might tell of a job that a failover takes away.
		return s.change(ctx, filter, set(bson.D{{Key: "name", Value: document.Name}}))
	}
	replaced := bson.D{{Key: "failCount", Value: nil}, {Key: "failReason", Value: nil}, {Key: "failedAt", Value: nil}}
	for _, field := range document.Fields() {
		switch field.Key {
		case "data", "priority", "nextRunAt", "lastModifiedBy":
			replaced = append(replaced, field)
		}
	}
	found, err := s.change(ctx, filter, set(replaced))
	if err == nil && !found.CancelledAt.IsZero() && found.LockedAt.IsZero() {
		return s.forgetCancel(ctx, found)
	}
	return found, err
}

// forgetCancel removes the cancel of an earlier planning from a job that was
// planned anew. A run that is going on keeps the cancel that met it.
func (s *Store) forgetCancel(ctx context.Context, found *job.Document) (*job.Document, error) {
	_, err := s.jobs.UpdateOne(ctx, bson.D{
		{Key: "_id", Value: found.ID}, unlocked, {Key: "cancelledAt", Value: job.Date(found.CancelledAt)},
	}, bson.D{{Key: "$unset", Value: bson.D{{Key: "cancelledAt", Value: ""}}}})
	found.CancelledAt = time.Time{}
	return found, err
}

func uniqueFilter(name string, by map[string]any) (bson.D, error) {
	if len(by) == 0 {
		return nil, fmt.Errorf("unique job %q: no payload field is named", name)
	}
	paths := make([]string, 0, len(by))
	for path, value := range by {
		if path == "" || strings.HasPrefix(path, "$") || strings.Contains(path, ".$") {
			return nil, fmt.Errorf("unique job %q: %q is not a path within the payload", name, path)
		}
		switch value.(type) {
		case nil, string, bool, int, int32, int64, float64, bson.ObjectID:
		default:
			return nil, fmt.Errorf("unique job %q: %s must be text, a number, true, false or null", name, path)
		}
		paths = append(paths, path)
	}
	sort.Strings(paths)
	filter := bson.D{{Key: "name", Value: name}}
	for _, path := range paths {
		filter = append(filter, bson.E{Key: "data." + path, Value: by[path]})
	}
	return filter, nil
}
