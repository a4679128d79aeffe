package auth_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestScheduleCostsTwoCommands: who asks, and the job.
func TestScheduleCostsTwoCommands(t *testing.T) {
	t.Parallel()
	var commands mongodb.CommandCounter
	api := apitest.Start(t, mongotest.Database(t, options.Client().SetMonitor(commands.Monitor())), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	schedule := func() {
		t.Helper()
		reply := api.Post(t, "/api/system/jobs/schedule", token, map[string]any{"name": "generate weekly reports", "when": "in 1 hour"})
		if reply.Status != 200 {
			t.Fatalf("%d %s", reply.Status, reply.Text)
		}
	}
	schedule()
	commands.Reset()
	schedule()
	if total := commands.Total(); total > 2 {
		t.Errorf("%d commands, want 2 at most: %v", total, commands.Counts())
	}
}
