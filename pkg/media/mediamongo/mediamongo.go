// Package mediamongo keeps the records of uploaded files in the MongoDB
// collection mediaAssets. The public id is the _id.
package mediamongo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
)

// Store implements media.Records. It is safe for concurrent use.
type Store struct {
	db     *mongo.Database
	assets *mongo.Collection
}

var _ media.Records = (*Store)(nil)

// New returns a Store on a database.
func New(db *mongo.Database) *Store {
	return &Store{db: db, assets: db.Collection(schema.MediaAssets)}
}

// Prepare creates the indexes.
func (s *Store) Prepare(ctx context.Context) error {
	refusals, err := mongodb.CreateIndexes(ctx, s.db, schema.Media())
	for _, refusal := range refusals {
		err = errors.Join(err, refusal.Err)
	}
	return err
}

// document is a record as it is stored.
type document struct {
	PublicID     string    `bson:"_id"`
	Owner        string    `bson:"owner"`
	Kind         string    `bson:"kind"`
	ResourceType string    `bson:"resourceType"`
	Store        string    `bson:"store"`
	Format       string    `bson:"format"`
	Bytes        int64     `bson:"bytes"`
	Width        int       `bson:"width,omitempty"`
	Height       int       `bson:"height,omitempty"`
	Duration     float64   `bson:"duration,omitempty"`
	OriginalName string    `bson:"originalName"`
	CreatedAt    time.Time `bson:"createdAt"`
}

// Add implements media.Records.
func (s *Store) Add(ctx context.Context, r media.Record) error {
	_, err := s.assets.InsertOne(ctx, document{
		PublicID: r.PublicID, Owner: r.Owner, Kind: string(r.Kind), ResourceType: string(r.ResourceType), Store: r.Store,
		Format: r.Format, Bytes: r.Bytes, Width: r.Width, Height: r.Height, Duration: r.Duration,
		OriginalName: r.OriginalName, CreatedAt: r.CreatedAt.UTC(),
	})
	return wrap(err, "record a file")
}

// Get implements media.Records.
func (s *Store) Get(ctx context.Context, publicID string) (media.Record, error) {
	var d document
	err := s.assets.FindOne(ctx, byID(publicID)).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return media.Record{}, media.ErrNotFound
	}
	return d.record(), wrap(err, "read the record of a file")
}

func (d document) record() media.Record {
	return media.Record{
		Ref:  media.Ref{PublicID: d.PublicID, ResourceType: media.ResourceType(d.ResourceType)},
		Kind: media.Kind(d.Kind), Owner: d.Owner, Store: d.Store, Format: d.Format, Bytes: d.Bytes,
		Width: d.Width, Height: d.Height, Duration: d.Duration, OriginalName: d.OriginalName, CreatedAt: d.CreatedAt,
	}
}

// Remove implements media.Records.
func (s *Store) Remove(ctx context.Context, publicID string) error {
	_, err := s.assets.DeleteOne(ctx, byID(publicID))
	return wrap(err, "remove the record of a file")
}

// Known implements media.Records.
func (s *Store) Known(ctx context.Context, publicIDs []string) (map[string]bool, error) {
	known := make(map[string]bool, len(publicIDs))
	if len(publicIDs) == 0 {
		return known, nil
	}
	cursor, err := s.assets.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: publicIDs}}}},
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("look records up: %w", err)
	}
	var found []document
	if err := cursor.All(ctx, &found); err != nil {
		return nil, fmt.Errorf("look records up: %w", err)
	}
	for _, d := range found {
		known[d.PublicID] = true
	}
	return known, nil
}

// CreatedBefore implements media.Records.
func (s *Store) CreatedBefore(ctx context.Context, store string, before time.Time) iter.Seq2[media.Record, error] {
	return func(yield func(media.Record, error) bool) {
		cursor, err := s.assets.Find(ctx, bson.D{
			{Key: "store", Value: store}, {Key: "createdAt", Value: bson.D{{Key: "$lt", Value: before}}},
		})
		if err != nil {
			yield(media.Record{}, fmt.Errorf("list records: %w", err))
			return
		}
		defer func() { _ = cursor.Close(ctx) }() // what it would say, Err has said
		for cursor.Next(ctx) {
			var d document
			if err := cursor.Decode(&d); err != nil {
				yield(media.Record{}, fmt.Errorf("list records: %w", err))
				return
			}
			if !yield(d.record(), nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(media.Record{}, fmt.Errorf("list records: %w", err))
		}
	}
}

func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }

func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
