package mongoqueue

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Get implements queue.Inspector.
func (s *Store) Get(ctx context.Context, id bson.ObjectID) (*job.Document, error) {
	document := &job.Document{}
	err := s.jobs.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(document)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, queue.ErrNotFound
	}
	return document, wrap(err, "get job")
}
