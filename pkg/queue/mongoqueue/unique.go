package mongoqueue

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// upsertUnique is Agenda's unique(): one upsert by name and payload values.
// Agenda's has no unique index behind it, so two of them can make two jobs;
// here both insert the same _id, and the later one finds the earlier's job.
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
	receipt, err := s.tryUpsert(ctx, filter, document, unique.InsertOnly)
	if mongo.IsDuplicateKeyError(err) { // another upsert was faster: its job is there now
		receipt, err = s.tryUpsert(ctx, filter, document, unique.InsertOnly)
	}
	if mongo.IsDuplicateKeyError(err) { // the job with the derived id has other values by now
		document.ID = bson.NewObjectID()
		receipt, err = s.tryUpsert(ctx, filter, document, unique.InsertOnly)
	}
	return receipt, wrap(err, "upsert a unique job")
}

func (s *Store) tryUpsert(ctx context.Context, filter bson.D, document *job.Document, insertOnly bool) (queue.Receipt, error) {
	var replaced, inserted bson.D
	for _, field := range document.Fields() {
		switch field.Key {
		case "data", "priority", "nextRunAt", "lastModifiedBy":
			if !insertOnly {
				replaced = append(replaced, field)
				continue
			}
		case "name":
			continue // comes from the filter
		}
		inserted = append(inserted, field)
	}
	update := bson.D{{Key: "$setOnInsert", Value: inserted}}
	if len(replaced) > 0 {
		update = append(update, bson.E{Key: "$set", Value: replaced})
	}
	found := &job.Document{}
	err := s.jobs.FindOneAndUpdate(ctx, filter, update,
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(found)
	if err != nil {
		return queue.Receipt{}, err
	}
	return queue.Receipt{Job: found, Created: found.ID == document.ID && found.LastRunAt.IsZero()}, nil
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
