package stage

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
	"github.com/etrainer/backend/tools/chaos/internal/poison"
)

// poisoned are the names among whose jobs the damaged documents lie, in turn.
var poisoned = []string{kinds.Quick.Name, kinds.Limited.Name, kinds.Slow.Name}

// poison stores damaged documents. What the engine refuses cannot do harm.
func (s *Stage) poison(ctx context.Context, number int) {
	for _, document := range poison.Documents(poisoned[number%len(poisoned)], 1000*number, time.Now()) {
		s.insert(ctx, document)
	}
}

// insert stores a damaged document, and writes its id down before.
func (s *Stage) insert(ctx context.Context, document poison.Document) {
	raw, err := bson.Marshal(document.Fields)
	if err != nil {
		panic(fmt.Sprintf("encode a damaged document: %v", err))
	}
	id := bson.Raw(raw).Lookup("_id")
	s.log.Write(history.Line{Event: history.Poison, Job: poison.ID(id), Name: document.Collection})
	s.mu.Lock()
	s.damaged = append(s.damaged, id)
	s.mu.Unlock()
	if _, err := s.db.Collection(document.Collection).InsertOne(ctx, bson.Raw(raw)); err != nil {
		s.log.Write(history.Line{Event: history.Note, Note: "damaged document not stored: " + err.Error()})
	}
}

// big stores a job with a payload of 15 MB, and takes it away again when it has
// run, or its time is over: as long as it lies there, the embedded engine reads
// all of it with every command.
func (s *Stage) big(ctx context.Context, within time.Duration) {
	document := poison.Big(kinds.Quick.Name, time.Now())
	s.insert(ctx, document)
	jobs, id := s.db.Collection(document.Collection), document.Fields[0]
	ran := bson.D{id, {Key: "lastFinishedAt", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}}}}
	if !until(ctx, settleLook, within, func() bool {
		n, err := jobs.CountDocuments(ctx, ran)
		return err == nil && n == 1
	}) {
		s.log.Write(history.Line{Event: history.Note, Note: "the large document did not run"})
	}
	_, err := jobs.DeleteOne(ctx, bson.D{id})
	if err != nil {
		s.log.Write(history.Line{Event: history.Note, Note: "large document not removed: " + err.Error()})
	}
}

// disarm removes the recurring jobs that do not run now, so that all workers
// arm them anew at once.
func (s *Stage) disarm(ctx context.Context) {
	_, err := s.db.Collection("agendaJobs").DeleteMany(ctx, bson.D{{Key: "type", Value: "single"}, {Key: "lockedAt", Value: nil}})
	if err != nil {
		s.log.Write(history.Line{Event: history.Note, Note: "recurring jobs not removed: " + err.Error()})
	}
}

// poisonIDs are the ids of all damaged documents.
func (s *Stage) poisonIDs() []bson.RawValue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]bson.RawValue{}, s.damaged...)
}
