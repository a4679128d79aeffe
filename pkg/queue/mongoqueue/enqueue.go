package mongoqueue

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Enqueue implements queue.Producer.
func (s *Store) Enqueue(ctx context.Context, requests ...queue.Request) ([]queue.Receipt, error) {
	receipts := make([]queue.Receipt, len(requests))
	var plain []int
	for i, request := range requests {
		receipts[i] = queue.Receipt{Job: s.newJob(request), Created: true}
		if request.Unique == nil {
			plain = append(plain, i)
			continue
		}
		receipt, err := s.upsertUnique(ctx, receipts[i].Job, request.Unique)
		if err != nil {
			return nil, asRefusal(err)
		}
		receipts[i] = receipt
	}
	if err := s.insert(ctx, requests, receipts, plain); err != nil {
		return nil, asRefusal(err)
	}
	return receipts, nil
}

// refusals are the server's codes for documents that it does not store: a bad
// value, too many levels, keys that it reserves, a validator of the
// collection, more than 16 MiB.
var refusals = []int{2, 15, 52, 57, 121, 10334}

// asRefusal adds queue.ErrRefused to what the server said of a document.
func asRefusal(err error) error {
	server, ok := errors.AsType[mongo.ServerError](err)
	if ok && slices.ContainsFunc(refusals, server.HasErrorCode) {
		return fmt.Errorf("%w: %w", queue.ErrRefused, err)
	}
	return err
}

func (s *Store) newJob(request queue.Request) *job.Document {
	document := &job.Document{
		ID: bson.NewObjectID(), Name: request.Name, Type: job.Normal,
		Data: request.Data, Priority: request.Priority,
		NextRunAt: request.RunAt, LastModifiedBy: s.options.Name,
	}
	if document.NextRunAt.IsZero() {
		document.NextRunAt = s.Now()
	}
	if request.IdempotencyKey != "" {
		document.ID = derivedID("idempotency key", request.IdempotencyKey)
	}
	return document
}

// derivedID makes an ObjectId out of text, so that any number of processes
// that mean the same job insert the same _id, and the collection's one index
// that every engine has makes them one.
func derivedID(kind, text string) bson.ObjectID {
	sum := sha256.Sum256([]byte(kind + "\x00" + text))
	var id bson.ObjectID
	copy(id[:], sum[:])
	return id
}

// insert stores the plain jobs in one command; one that comes alone, together
// with those of other callers. An _id that exists already is an idempotent
// repetition.
func (s *Store) insert(ctx context.Context, requests []queue.Request, receipts []queue.Receipt, plain []int) error {
	if len(plain) == 0 {
		return nil
	}
	documents := make([]any, len(plain))
	for i, at := range plain {
		documents[i] = receipts[at].Job.Fields()
	}
	var err error
	if len(plain) == 1 && mongo.SessionFromContext(ctx) == nil { // a transaction's job is in no other's command
		err = s.together.Insert(ctx, documents[0], requests[plain[0]].IdempotencyKey == "")
	} else {
		err = s.insertAll(ctx, documents)
	}
	var partial mongo.BulkWriteException
	if !errors.As(err, &partial) || partial.WriteConcernError != nil {
		return wrap(err, "insert jobs")
	}
	for _, failure := range partial.WriteErrors {
		at := plain[failure.Index]
		if failure.Code != duplicateKey || requests[at].IdempotencyKey == "" {
			return wrap(err, "insert jobs")
		}
		if err := s.replay(ctx, &receipts[at]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) insertAll(ctx context.Context, documents []any) error {
	_, err := s.jobs.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
	return err
}

// replay finds the job that the first request with the same key made.
func (s *Store) replay(ctx context.Context, receipt *queue.Receipt) error {
	first, err := s.Get(ctx, receipt.Job.ID)
	if err != nil {
		return fmt.Errorf("find the job of a repeated idempotency key: %w", err)
	}
	asked := receipt.Job
	if first.Name != asked.Name {
		return &queue.KeyReusedError{Field: "name"}
	}
	if path, differ := job.Difference(first.Data, asked.Data); differ {
		return &queue.KeyReusedError{Field: strings.TrimSuffix("data."+path, ".")}
	}
	*receipt = queue.Receipt{Job: first}
	return nil
}

func sameData(a, b bson.RawValue) bool {
	_, differ := job.Difference(a, b)
	return !differ
}

func isNull(v bson.RawValue) bool { return v.Type == 0 || v.Type == bson.TypeNull }

// duplicateKey is the server's code for a violated unique index.
const duplicateKey = 11000

func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
