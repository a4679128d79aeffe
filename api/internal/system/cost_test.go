package system_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// many is a long queue.
const many = 100_000

// TestCostDoesNotGrowWithTheQueue counts the commands of the pages that tell
// about jobs, and of the counting that they share.
func TestCostDoesNotGrowWithTheQueue(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it stores many jobs")
	}
	empty, long := costs(t, 0), costs(t, many)
	if diff := cmp.Diff(empty, long); diff != "" {
		t.Errorf("commands with no jobs and with %d (-none +many):\n%s", many, diff)
	}
	t.Logf("commands: %v", long)
}

// cost is how many commands of each name were sent for the counting, and for
// each page.
type cost map[string]map[string]int64

// TestProbesShareOneLook: they have no limit, so how often they are asked must
// not be how often the database is.
func TestProbesShareOneLook(t *testing.T) {
	t.Parallel()
	counter, err := mongodb.NewCommandCounter(nil)
	if err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
	now := time.Now()
	api := apitest.Start(t, db, apitest.Options{Now: func() time.Time { return now }})
	for range 3 {
		for _, path := range []string{"/readyz", "/health", "/api/system/health", "/api/system/status"} {
			if reply := api.Get(t, path, ""); reply.Status != 200 {
				t.Errorf("%s: %d %s", path, reply.Status, reply.Text)
			}
		}
	}
	if n := counter.Counts()["ping"]; n != 1 {
		t.Errorf("the database was asked %d times within one second, want once", n)
	}
}

// costs stores jobs and looks at them. The clock stands still, and the count is
// made first, without the time limits of requests: a slow engine takes longer
// for it, and not more commands.
func costs(t *testing.T, queued int) cost {
	t.Helper()
	counter, err := mongodb.NewCommandCounter(nil)
	if err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
	now := time.Now()
	api := apitest.Start(t, db, apitest.Options{Now: func() time.Time { return now }})
	admin := api.Token(t, "admin@example.com")
	api.Get(t, "/api/system/performance", admin) // the caller is known now
	documents := make([]any, queued)
	for i := range documents {
		documents[i] = bson.D{{Key: "name", Value: "send mail"}, {Key: "type", Value: "normal"}, {Key: "nextRunAt", Value: now.Add(-time.Minute)}, {Key: "lockedAt", Value: nil}}
	}
	for batch := range slices.Chunk(documents, 10_000) {
		if _, err := db.Collection("agendaJobs").InsertMany(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	counter.Reset()
	began := time.Now()
	counts, err := api.Store.Counts(t.Context())
	if err != nil || counts.Total != int64(queued) {
		t.Fatalf("counted %+v, %v", counts, err)
	}
	t.Logf("%d jobs were counted in %s", queued, time.Since(began))
	cost := cost{"counting": counter.Counts()}
	for _, path := range []string{"/health", "/api/system/jobs/stats", "/api/system/metrics"} {
		counter.Reset()
		reply := api.Get(t, path, admin)
		cost[path] = counter.Counts()
		if reply.Status != 200 {
			t.Errorf("%s: %d %s", path, reply.Status, reply.Text)
		}
		if path == "/api/system/jobs/stats" && reply.At("stats", "queued") != float64(queued) {
			t.Errorf("%s: %s", path, reply.Text)
		}
	}
	for what, commands := range cost {
		if len(commands) == 0 {
			t.Errorf("%s: no command was counted", what)
		}
	}
	return cost
}
