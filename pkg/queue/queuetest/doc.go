// Package queuetest is the conformance suite of queue.Store: what every
// implementation must do, in terms of the port alone. Run it from a test of
// the implementation:
//
//	func TestConformance(t *testing.T) { queuetest.Run(t, newHarness) }
package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Harness is one empty queue for one test.
type Harness struct {
	// Store is prepared. Its time is Clock's.
	Store queue.Store
	// Peer is the same queue as another process has it, with the same time.
	Peer  queue.Store
	Clock *clockwork.FakeClock
}

// Start is the time at which every harness begins: the middle of a minute, of
// a day, of a week.
var Start = time.Date(2024, 1, 17, 10, 20, 30, 456e6, time.UTC)

// Run runs the suite. New makes a Harness whose clock shows Start.
func Run(t *testing.T, New func(t *testing.T) Harness) {
	t.Helper()
	for _, group := range []map[string]func(*testing.T, *suite){
		enqueueTests, leaseTests, recordTests, recurringTests, operatorTests, raceTests,
		planningTests, fenceTests, apartTests, crashTests, fairnessTests, placesTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, &suite{Harness: New(t), t: t})
			})
		}
	}
}

// suite is one test's view of its harness. Its methods fail the test where a
// call that should work does not.
type suite struct {
	Harness
	t *testing.T
}

func (s *suite) ctx() context.Context { return s.t.Context() }

func (s *suite) enqueue(requests ...queue.Request) []*job.Document {
	s.t.Helper()
	receipts, err := s.Store.Enqueue(s.ctx(), requests...)
	if err != nil {
		s.t.Fatalf("Enqueue: %v", err)
	}
	documents := make([]*job.Document, len(receipts))
	for i, r := range receipts {
		documents[i] = r.Job
	}
	return documents
}

// want asks for up to n jobs of a name.
func want(holder string, n int, names ...string) queue.LeaseRequest {
	request := queue.LeaseRequest{Holder: holder, Total: n, Horizon: time.Minute, Names: map[string]queue.NameRequest{}}
	for _, name := range names {
		request.Names[name] = queue.NameRequest{Free: n}
	}
	return request
}

func (s *suite) lease(request queue.LeaseRequest) []*queue.Lease {
	s.t.Helper()
	batch, err := s.Store.Lease(s.ctx(), request)
	if err != nil {
		s.t.Fatalf("Lease: %v", err)
	}
	return batch.Leases
}

func (s *suite) leaseOne(holder, name string) *queue.Lease {
	s.t.Helper()
	leases := s.lease(want(holder, 1, name))
	if len(leases) != 1 {
		s.t.Fatalf("leased %d jobs of %q, want 1", len(leases), name)
	}
	return leases[0]
}

// record stores one ending and returns its result.
func (s *suite) record(ending queue.Ending) error {
	s.t.Helper()
	return s.recordAll([]queue.Ending{ending})[0]
}

// recordAll stores endings and their history, as a worker does, and returns
// their results.
func (s *suite) recordAll(endings []queue.Ending) []error {
	s.t.Helper()
	results, err := s.Store.Record(s.ctx(), endings)
	if err != nil {
		s.t.Fatalf("Record: %v", err)
	}
	if dropped, err := s.Store.RecordRuns(s.ctx(), endings); err != nil || dropped > 0 {
		s.t.Fatalf("RecordRuns: %d dropped, %v", dropped, err)
	}
	return results
}

// rescue releases what an instance held, but for the leases to keep.
func (s *suite) rescue(instance string, keep ...*queue.Lease) (int, error) {
	rescued, err := s.Store.Rescue(s.ctx(), queue.RescueRequest{Instance: instance, Keep: keep})
	return rescued.Due, err
}

func (s *suite) succeed(lease *queue.Lease) {
	s.t.Helper()
	if err := s.record(queue.Ending{Lease: lease, Outcome: job.Succeeded}); err != nil {
		s.t.Fatalf("record success: %v", err)
	}
}

func (s *suite) get(id bson.ObjectID) *job.Document {
	s.t.Helper()
	document, err := s.Store.Get(s.ctx(), id)
	if err != nil {
		s.t.Fatalf("Get: %v", err)
	}
	return document
}

func (s *suite) runs(id bson.ObjectID) []job.Run {
	s.t.Helper()
	runs, err := s.Store.Runs(s.ctx(), id, 200)
	if err != nil {
		s.t.Fatalf("Runs: %v", err)
	}
	return runs
}

func (s *suite) state(id bson.ObjectID, want job.State) {
	s.t.Helper()
	if got := s.get(id).State(s.Store.Now()); got != want {
		s.t.Errorf("state is %s, want %s", got, want)
	}
}

func (s *suite) sameTime(what string, got, want time.Time) {
	s.t.Helper()
	if !got.Equal(want) {
		s.t.Errorf("%s is %s, want %s", what, stamp(got), stamp(want))
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func data(s *suite, value any) bson.RawValue {
	s.t.Helper()
	raw, err := job.ToData(value)
	if err != nil {
		s.t.Fatalf("ToData: %v", err)
	}
	return raw
}
