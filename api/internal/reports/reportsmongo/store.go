// Package reportsmongo reads the weekly reports from their MongoDB collection.
package reportsmongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/reports"
	"github.com/etrainer/backend/pkg/schema"
)

// Store implements reports.Store.
type Store struct{ reports *mongo.Collection }

var _ reports.Store = (*Store)(nil)

// New returns a Store on a database.
func New(db *mongo.Database) *Store { return &Store{db.Collection(schema.WeeklyReports)} }

// List implements reports.Store. The _id is the date of the Monday, so its
// order is that of time.
func (s *Store) List(ctx context.Context, upTo string, limit int) ([]reports.Report, error) {
	bound := bson.D{{Key: "$gt", Value: ""}}
	if upTo != "" {
		bound = append(bound, bson.E{Key: "$lte", Value: upTo})
	}
	cursor, err := s.reports.Find(ctx, bson.D{{Key: "_id", Value: bound}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("find reports: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	found := []reports.Report{}
	for cursor.Next(ctx) {
		found = append(found, read(cursor.Current))
	}
	return found, cursor.Err()
}

// Get implements reports.Store.
func (s *Store) Get(ctx context.Context, week string) (reports.Report, error) {
	raw, err := s.reports.FindOne(ctx, bson.D{{Key: "_id", Value: week}}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return reports.Report{}, reports.ErrNotFound
	}
	if err != nil {
		return reports.Report{}, fmt.Errorf("find a report: %w", err)
	}
	return read(raw), nil
}
