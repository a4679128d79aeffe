package runner_test

import (
	"context"
	"slices"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/queue"
)

// faulty is a store of which single calls can be made to fail. A nil hook
// leaves the call alone; one that returns an error is what the caller gets
// instead of the store's answer.
type faulty struct {
	queue.Consumer
	beforeLease  func(context.Context, queue.LeaseRequest) error
	afterLease   func(queue.Batch) error
	beforeRecord func(context.Context, []queue.Ending) error
	beforeRuns   func(context.Context, []queue.Ending) error
	beforeRenew  func([]*queue.Lease)
	reconcile    func(name string)
}

func (f *faulty) Lease(ctx context.Context, request queue.LeaseRequest) (queue.Batch, error) {
	if f.beforeLease != nil {
		if err := f.beforeLease(ctx, request); err != nil {
			return queue.Batch{}, err
		}
	}
	batch, err := f.Consumer.Lease(ctx, request)
	if err == nil && f.afterLease != nil {
		if err := f.afterLease(batch); err != nil {
			return queue.Batch{}, err
		}
	}
	return batch, err
}

func (f *faulty) Record(ctx context.Context, endings []queue.Ending) ([]error, error) {
	if f.beforeRecord != nil {
		if err := f.beforeRecord(ctx, endings); err != nil {
			return make([]error, len(endings)), err
		}
	}
	return f.Consumer.Record(ctx, endings)
}

func (f *faulty) RecordRuns(ctx context.Context, endings []queue.Ending) (int, error) {
	if f.beforeRuns != nil {
		if err := f.beforeRuns(ctx, endings); err != nil {
			return 0, err
		}
	}
	return f.Consumer.RecordRuns(ctx, endings)
}

func (f *faulty) Renew(ctx context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	if f.beforeRenew != nil {
		f.beforeRenew(leases)
	}
	return f.Consumer.Renew(ctx, leases)
}

func (f *faulty) Reconcile(ctx context.Context, name string) error {
	if f.reconcile != nil {
		f.reconcile(name)
	}
	return f.Consumer.Reconcile(ctx, name)
}

// about reports whether an ending of a job is among endings.
func about(endings []queue.Ending, id bson.ObjectID) bool {
	return slices.ContainsFunc(endings, func(e queue.Ending) bool { return e.Lease.Job.ID == id })
}

// isFinished reports whether the outcome of a run is in the job's document.
func (b *bench) isFinished(id bson.ObjectID) bool {
	document := b.get(id)
	return document.LockedAt.IsZero() && !document.LastFinishedAt.IsZero()
}

// allFinished waits until the outcomes of all jobs are stored.
func (b *bench) allFinished(ids []bson.ObjectID) {
	b.t.Helper()
	left := slices.Clone(ids)
	eventually(b.t, "every outcome is stored", func() bool {
		left = slices.DeleteFunc(left, b.isFinished)
		return len(left) == 0
	})
}

// counted is a handler that counts its calls.
func counted(n *atomic.Int64) func(context.Context, noteJob) (any, error) {
	return func(context.Context, noteJob) (any, error) { n.Add(1); return nil, nil }
}

// until waits for a sign, or for the end of a context.
func until(ctx context.Context, sign <-chan struct{}) error {
	select {
	case <-sign:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// withLost leaves due jobs whose workers have died so often while they ran
// them.
func (b *bench) withLost(name string, deaths, jobs int) []bson.ObjectID {
	b.t.Helper()
	ids := b.enqueueMany(name, jobs)
	for range deaths {
		dead := queue.HolderPrefix + "dead-" + bson.NewObjectID().Hex()
		batch, err := b.store.Lease(b.t.Context(), queue.LeaseRequest{
			Holder: dead, Total: jobs, Names: map[string]queue.NameRequest{name: {Free: jobs}},
		})
		if err != nil || len(batch.Leases) != jobs {
			b.t.Fatalf("%d of %d jobs are leased: %v", len(batch.Leases), jobs, err)
		}
		if _, err := b.store.Rescue(b.t.Context(), queue.RescueRequest{Instance: dead}); err != nil {
			b.t.Fatal(err)
		}
	}
	return ids
}
