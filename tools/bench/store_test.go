package main

import (
	"fmt"
	"testing"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/tools/bench/internal/ours"
)

func newStore(b *testing.B) *mongoqueue.Store {
	store := mongoqueue.New(mongotest.Database(b), mongoqueue.Options{})
	if err := store.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	return store
}

func requests(b *testing.B, n int) []queue.Request {
	made, err := ours.Requests(n)
	if err != nil {
		b.Fatal(err)
	}
	return made
}

// BenchmarkEnqueue stores jobs in one command, acknowledged by the engine.
func BenchmarkEnqueue(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d at once", size), func(b *testing.B) {
			store := newStore(b)
			batch := requests(b, size)
			for b.Loop() {
				if _, err := store.Enqueue(b.Context(), batch...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/job")
		})
	}
}

// BenchmarkLeaseAndRecord leases a batch and stores its outcomes: everything
// that a worker asks of the database for jobs that run once and succeed.
func BenchmarkLeaseAndRecord(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d at once", size), func(b *testing.B) {
			db := mongotest.Database(b)
			store := mongoqueue.New(db, mongoqueue.Options{})
			if err := store.Prepare(b.Context()); err != nil {
				b.Fatal(err)
			}
			batch := requests(b, size)
			for b.Loop() {
				b.StopTimer() // an empty collection each time: an engine may read all of it
				if _, err := db.Collection(mongoqueue.DefaultCollection).DeleteMany(b.Context(), map[string]any{}); err != nil {
					b.Fatal(err)
				}
				if _, err := store.Enqueue(b.Context(), batch...); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				leaseAndRecord(b, store, size)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/job")
		})
	}
}

func leaseAndRecord(b *testing.B, store *mongoqueue.Store, size int) {
	leased, err := store.Lease(b.Context(), queue.LeaseRequest{
		Holder: queue.HolderPrefix + "bench", Total: size, Names: map[string]queue.NameRequest{ours.Name: {Free: size}},
	})
	if err != nil || len(leased.Leases) != size {
		b.Fatalf("%d of %d jobs were leased: %v", len(leased.Leases), size, err)
	}
	endings := make([]queue.Ending, size)
	for i, lease := range leased.Leases {
		endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded}
	}
	results, err := store.Record(b.Context(), endings)
	if err != nil {
		b.Fatal(err)
	}
	for _, refused := range results {
		if refused != nil {
			b.Fatal(refused)
		}
	}
}
