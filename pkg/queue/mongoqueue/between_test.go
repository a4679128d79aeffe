package mongoqueue_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// crossing is a queue between whose commands a test can step: its store talks
// to the database through a server of the test, and its peer directly.
type crossing struct {
	t           *testing.T
	db          *mongo.Database
	store, peer *mongoqueue.Store
	clock       *clockwork.FakeClock
	problems    *queue.Problems

	mu      sync.Mutex
	instead func(command bson.Raw) bson.D
}

// crossed is when crossings begin.
var crossed = time.Date(2024, 1, 17, 10, 20, 30, 0, time.UTC)

func newCrossing(t *testing.T) *crossing {
	t.Helper()
	c := &crossing{t: t, clock: clockwork.NewFakeClockAt(crossed)}
	between := wiretest.Between(t, mongotest.URI(t), c.meet)
	c.problems = queue.NewProblems(c.clock.Now, slog.New(slog.DiscardHandler))
	c.db = mongotest.Database(t)
	through := mongotest.Database(t, options.Client().ApplyURI("mongodb://"+between.Host()+"/?directConnection=true")).Client().Database(c.db.Name())
	c.store = mongoqueue.New(through, mongoqueue.Options{Now: c.clock.Now, Problems: c.problems})
	c.peer = mongoqueue.New(c.db, mongoqueue.Options{Now: c.clock.Now})
	if err := c.peer.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crossing) meet(command bson.Raw) bson.D {
	c.mu.Lock()
	instead := c.instead
	c.mu.Unlock()
	if instead == nil {
		return nil
	}
	return instead(command)
}

// answer answers the store's commands from now on; what it leaves nil goes to
// the database.
func (c *crossing) answer(instead func(command bson.Raw) bson.D) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instead = instead
}

// before acts once, just before the store's n-th command of this kind to this
// collection gets to the database.
func (c *crossing) before(n int, command, collection string, act func()) {
	met := 0
	c.answer(func(got bson.Raw) bson.D {
		if to, _ := got.Index(0).Value().StringValueOK(); wiretest.Name(got) != command || to != collection {
			return nil
		}
		if met++; met == n {
			act()
		}
		return nil
	})
}

// must fails the test where a call that should work does not.
func (c *crossing) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// enqueue stores jobs of a name that are due.
func (c *crossing) enqueue(name string, n int) []bson.ObjectID {
	c.t.Helper()
	requests := make([]queue.Request, n)
	for i := range requests {
		requests[i] = queue.Request{Name: name, RunAt: c.clock.Now().Add(time.Duration(i-n) * time.Second)}
	}
	receipts, err := c.peer.Enqueue(c.t.Context(), requests...)
	c.must(err)
	ids := make([]bson.ObjectID, n)
	for i, receipt := range receipts {
		ids[i] = receipt.Job.ID
	}
	return ids
}

// lease leases up to n jobs of a name by one of the stores.
func (c *crossing) lease(by *mongoqueue.Store, holder, name string, n int) []*queue.Lease {
	c.t.Helper()
	batch, err := by.Lease(c.t.Context(), queue.LeaseRequest{Holder: holder, Total: n, Horizon: time.Minute, Names: map[string]queue.NameRequest{name: {Free: n}}})
	c.must(err)
	return batch.Leases
}

func (c *crossing) record(by *mongoqueue.Store, outcome job.Outcome, leases ...*queue.Lease) []error {
	c.t.Helper()
	endings := make([]queue.Ending, len(leases))
	for i, lease := range leases {
		endings[i] = queue.Ending{Lease: lease, Outcome: outcome}
	}
	results, err := by.Record(c.t.Context(), endings)
	c.must(err)
	return results
}

func (c *crossing) get(id bson.ObjectID) *job.Document {
	c.t.Helper()
	document, err := c.peer.Get(c.t.Context(), id)
	c.must(err)
	return document
}

// node changes a job as a Node process does, which knows nothing of our rules.
func (c *crossing) node(id bson.ObjectID, fields bson.D) {
	c.t.Helper()
	result, err := c.db.Collection(mongoqueue.DefaultCollection).UpdateOne(c.t.Context(), bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$set", Value: fields}})
	c.must(err)
	if result.MatchedCount != 1 {
		c.t.Fatalf("there is no job %s", id.Hex())
	}
}
