package mongoledger_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/ledger"
	"github.com/etrainer/backend/pkg/ledger/ledgertest"
	"github.com/etrainer/backend/pkg/ledger/mongoledger"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func TestLedger(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) ledger.Ledger {
		return mongoledger.New(mongotest.Database(t), now)
	})
}

// A batch costs two commands, whatever its size, and four when all of it is
// there already.
func TestCommands(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	commands := map[string]int{}
	monitor := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		mu.Lock()
		defer mu.Unlock()
		commands[e.CommandName]++
	}}
	l := mongoledger.New(mongotest.Database(t, options.Client().SetMonitor(monitor)), time.Now)
	keys := make([]string, 200)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	done := func(_ context.Context, places []int) ([]ledger.Settlement, error) {
		out := make([]ledger.Settlement, len(places))
		for i := range out {
			out[i].State = ledger.Done
		}
		return out, nil
	}
	for _, run := range []string{"one", "two"} {
		if _, _, err := ledger.Do(t.Context(), l, ledger.Claim{Holder: run, Keys: keys, Keep: time.Hour}, done); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if commands["insert"] != 2 || commands["update"] != 1 || commands["find"] != 1 {
		t.Errorf("two runs over 200 keys took %v; want 2 insert, 1 update, 1 find", commands)
	}
}
