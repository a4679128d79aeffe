package mongoqueue_test

import (
	"testing"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/queue/queuetest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		clock := clockwork.NewFakeClockAt(queuetest.Start)
		// The client acknowledges less than the queue promises: the store asks for
		// more by itself, or mongotest fails the test.
		db := mongotest.Database(t, options.Client().SetWriteConcern(writeconcern.W1()))
		store, peer := mongoqueue.New(db, mongoqueue.Options{Now: clock.Now}), mongoqueue.New(db, mongoqueue.Options{Now: clock.Now})
		if err := store.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		return queuetest.Harness{Store: store, Peer: peer, Clock: clock}
	})
}
