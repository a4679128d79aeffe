package jobs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
)

// What live workers cannot use is listed with what to do about it, once however
// many workers met it; /health tells how many there are.
func TestProblemsOfTheQueueAreShown(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	now := time.Now()
	first := time.Date(2026, 11, 26, 1, 40, 12, 345e6, time.UTC)
	bad := queue.Problem{Collection: "agendaJobs", ID: "text", Name: "a", What: "its _id is a text", Fix: "delete it", Since: first}
	later := bad
	later.Since = first.Add(time.Second)
	nameless := queue.Problem{Collection: "agendaInstances", ID: "7", What: "it is no instance", Fix: "delete it", Since: first.Add(time.Minute)}
	for id, worker := range map[string]fleet.Instance{
		"w1":   {ExpiresAt: now.Add(time.Minute), Problems: []queue.Problem{later, nameless}},
		"w2":   {ExpiresAt: now.Add(time.Minute), Problems: []queue.Problem{bad}},
		"dead": {ExpiresAt: now.Add(-time.Minute), Problems: []queue.Problem{{Collection: "agendaJobs", ID: "gone", What: "x", Fix: "y", Since: first}}},
	} {
		worker.ID, worker.Kind, worker.SeenAt = id, fleet.Worker, now.Add(-2*time.Minute)
		if err := api.Registry.Register(t.Context(), worker); err != nil {
			t.Fatal(err)
		}
	}
	reply := api.Get(t, jobsRoute+"/stats", token)
	want := []any{
		map[string]any{
			"collection": "agendaJobs", "id": "text", "name": "a", "problem": "its _id is a text", "fix": "delete it", "since": "2026-11-26T01:40:12.345Z",
		},
		map[string]any{
			"collection": "agendaInstances", "id": "7", "name": nil, "problem": "it is no instance", "fix": "delete it", "since": "2026-11-26T01:41:12.345Z",
		},
	}
	if diff := cmp.Diff(want, reply.JSON["problems"]); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if got := api.Get(t, "/health", "").At("services", "jobScheduler", "problems"); got != 2.0 {
		t.Errorf("/health tells of %v problems, want 2", got)
	}
}
