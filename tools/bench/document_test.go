package main

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// finished is a job as it lies in the collection after a run.
func finished(b *testing.B) *job.Document {
	data, err := job.ToData(map[string]any{"userId": "64f0c2a1b2c3d4e5f6a7b8c9", "kind": "weekly", "n": 7, "tags": []string{"a", "b"}})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return &job.Document{
		ID: bson.NewObjectID(), Name: "generate weekly reports", Type: job.Normal, Data: data, Priority: 10,
		LastRunAt: at, LastFinishedAt: at.Add(time.Second), LastModifiedBy: "worker@host:1:abcdef",
	}
}

// BenchmarkDocumentEncode makes BSON of a job.
func BenchmarkDocumentEncode(b *testing.B) {
	document := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bson.Marshal(document); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDocumentDecode reads a job from BSON.
func BenchmarkDocumentDecode(b *testing.B) {
	raw, err := bson.Marshal(finished(b))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var document job.Document
		if err := document.UnmarshalBSON(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPayloadDecode reads the payload of a job into a handler's type.
func BenchmarkPayloadDecode(b *testing.B) {
	document := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		var payload struct {
			UserID string `json:"userId"`
			N      int    `json:"n"`
		}
		if err := document.DecodeData(&payload); err != nil || payload.N != 7 {
			b.Fatal(payload, err)
		}
	}
}
