package mongoqueue_test

import (
	"testing"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/queue/queuetest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		clock := clockwork.NewFakeClockAt(queuetest.Start)
		store := mongoqueue.New(mongotest.Database(t), mongoqueue.Options{Now: clock.Now})
		if err := store.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		return queuetest.Harness{Store: store, Clock: clock}
	})
}
