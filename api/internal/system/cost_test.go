package system_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestCostDoesNotGrowWithTheQueue counts the commands of the pages that tell
// about jobs, the counting itself among them.
func TestCostDoesNotGrowWithTheQueue(t *testing.T) {
	t.Parallel()
	empty, long := costs(t, 0), costs(t, 3000)
	if diff := cmp.Diff(empty, long); diff != "" || len(empty) == 0 {
		t.Errorf("commands with no jobs and with 3,000 (-none +many):\n%s", diff)
	}
}

func costs(t *testing.T, queued int) map[string]int64 {
	t.Helper()
	counter, err := mongodb.NewCommandCounter(nil)
	if err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
	now := time.Now()
	api := apitest.Start(t, db, apitest.Options{Now: func() time.Time { return now }})
	admin := api.Token(t, "admin@example.com")
	documents := make([]any, queued)
	for i := range documents {
		documents[i] = bson.D{{Key: "name", Value: "send mail"}, {Key: "type", Value: "normal"}, {Key: "nextRunAt", Value: now.Add(-time.Minute)}, {Key: "lockedAt", Value: nil}}
	}
	if queued > 0 {
		if _, err := db.Collection("agendaJobs").InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
	counter.Reset()
	for _, path := range []string{"/health", "/api/system/jobs/stats", "/api/system/metrics"} {
		reply := api.Get(t, path, admin)
		if reply.Status != 200 {
			t.Errorf("%s: %d %s", path, reply.Status, reply.Text)
		}
		if path == "/api/system/jobs/stats" && reply.At("stats", "queued") != float64(queued) {
			t.Errorf("%s: %s", path, reply.Text)
		}
	}
	return counter.Counts()
}
