// Package examcleanupmongo finds old exam results in ETrainer's MongoDB
// collections and moves them into the archive.
package examcleanupmongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup"
)

// A page ends with whichever comes first. Results with all their answers take
// some kilobytes each.
const (
	pageSize  = 500
	pageBytes = 8 << 20
)

// Store implements examcleanup.Store.
type Store struct{ exams, archive *mongo.Collection }

var _ examcleanup.Store = (*Store)(nil)

// New returns a Store on a database. What is archived is acknowledged by a
// majority, in its journal, before anything is removed.
func New(db *mongo.Database) *Store {
	journal := true
	durable := options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journal})
	return &Store{exams: db.Collection(schema.ExamHistories, durable), archive: db.Collection(schema.ExamArchive, durable)}
}

func storedBefore(t time.Time) bson.E {
	return bson.E{Key: "createdAt", Value: bson.D{{Key: "$lt", Value: t}}}
}

// Null, absent and false leave a result unprotected; anything else, such as
// "true" or 1, was meant to keep it.
var (
	unimportant = bson.E{Key: "isImportant", Value: bson.D{{Key: "$in", Value: bson.A{nil, false}}}}
	important   = bson.E{Key: "isImportant", Value: bson.D{{Key: "$nin", Value: bson.A{nil, false}}}}
)

// Stored implements examcleanup.Store.
func (s *Store) Stored(ctx context.Context, before time.Time) (movable, kept int64, err error) {
	movable, err = s.exams.CountDocuments(ctx, bson.D{storedBefore(before), unimportant})
	if err != nil {
		return 0, 0, err
	}
	kept, err = s.exams.CountDocuments(ctx, bson.D{storedBefore(before), important})
	return movable, kept, err
}

// Undated implements examcleanup.Store. The types are listed, and not negated,
// so that an index answers.
func (s *Store) Undated(ctx context.Context) (int64, error) {
	return s.exams.CountDocuments(ctx, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "createdAt", Value: nil}},
		bson.D{{Key: "createdAt", Value: bson.D{{Key: "$type", Value: bson.A{
			"double", "string", "object", "array", "binData", "objectId", "bool", "regex", "int", "timestamp", "long",
		}}}}},
	}}})
}

// Old implements examcleanup.Store: one cursor in the order of the index on
// createdAt. Removing what it has passed does not disturb it.
func (s *Store) Old(ctx context.Context, before time.Time, visit func(context.Context, examcleanup.Page) error) error {
	cursor, err := s.exams.Find(ctx, bson.D{storedBefore(before), unimportant},
		options.Find().SetSort(bson.D{{Key: "createdAt", Value: 1}}).SetBatchSize(pageSize))
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(ctx) }()
	var page examcleanup.Page
	bytes := 0
	flush := func() error {
		full := page
		page, bytes = examcleanup.Page{}, 0
		return visit(ctx, full)
	}
	for cursor.Next(ctx) {
		if ended, isDate := cursor.Current.Lookup("endTime").TimeOK(); isDate && !ended.Before(before) {
			page.EndedLater++
		} else {
			page.Old = append(page.Old, examcleanup.Document(append([]byte(nil), cursor.Current...)))
			bytes += len(cursor.Current)
		}
		if bytes >= pageBytes || len(page.Old)+int(page.EndedLater) >= pageSize {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := cursor.Err(); err != nil {
		return err
	}
	if len(page.Old) == 0 && page.EndedLater == 0 {
		return nil
	}
	return flush()
}

// Move implements examcleanup.Store. A document that an earlier attempt archived
// and did not come to remove is archived again, over itself.
func (s *Store) Move(ctx context.Context, documents []examcleanup.Document, before, at time.Time) (examcleanup.Moved, error) {
	models := make([]mongo.WriteModel, len(documents))
	for i, document := range documents {
		models[i] = mongo.NewReplaceOneModel().SetUpsert(true).
			SetFilter(bson.D{{Key: "_id", Value: bson.Raw(document).Lookup("_id")}}).SetReplacement(stamped(document, at))
	}
	refused, err := refusals(s.archive.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)))
	if err != nil {
		return examcleanup.Moved{}, fmt.Errorf("archive results: %w", err)
	}
	moved := examcleanup.Moved{Refused: map[string]int64{}}
	ids := bson.A{}
	for i, document := range documents {
		if reason, is := refused[i]; is {
			moved.Refused[reason]++
			continue
		}
		ids = append(ids, bson.Raw(document).Lookup("_id"))
	}
	moved.Archived = int64(len(ids))
	if len(ids) == 0 {
		return moved, nil
	}
	// The conditions again: somebody may have marked a result as important.
	deleted, err := s.exams.DeleteMany(ctx, bson.D{storedBefore(before), unimportant, {Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return moved, fmt.Errorf("remove archived results: %w", err)
	}
	moved.Deleted = deleted.DeletedCount
	return moved, nil
}

// refusals tells which documents of a batch the server did not take, and why.
// Other failures concern the whole batch.
func refusals(_ *mongo.BulkWriteResult, err error) (map[int]string, error) {
	partial, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok || partial.WriteConcernError != nil {
		return nil, err
	}
	refused := make(map[int]string, len(partial.WriteErrors))
	for _, failure := range partial.WriteErrors {
		refused[failure.Index] = "the archive refused it: " + failure.Message
	}
	return refused, nil
}

// stamped is a document, byte for byte, with archivedAt behind its fields.
func stamped(document examcleanup.Document, at time.Time) bson.Raw {
	if bson.Raw(document).Lookup("archivedAt").Type != 0 {
		return bson.Raw(document) // it came back from the archive once
	}
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(document)+32))
	out = append(out, document[4:len(document)-1]...)
	out = bsoncore.AppendDateTimeElement(out, "archivedAt", at.UnixMilli())
	out, err := bsoncore.AppendDocumentEnd(out, start)
	if err != nil { // only for a wrong start
		return bson.Raw(document)
	}
	return bson.Raw(out)
}
