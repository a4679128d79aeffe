package auth_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestWhatSchedulingCosts: the job, and who asks unless that is freshly known.
func TestWhatSchedulingCosts(t *testing.T) {
	t.Parallel()
	var commands mongodb.CommandCounter
	clock := newHands()
	api := apitest.Start(t, mongotest.Database(t, options.Client().SetMonitor(commands.Monitor())), apitest.Options{Now: clock.now})
	token := api.Token(t, "admin@example.com")
	schedule := func() map[string]int64 {
		t.Helper()
		commands.Reset()
		reply := api.Post(t, "/api/system/jobs/schedule", token, map[string]any{"name": "generate weekly reports", "when": "in 1 hour"})
		wantStatus(t, "schedule", reply, http.StatusOK)
		return commands.Counts()
	}
	schedule() // connections are open now
	for _, round := range []struct {
		who  string
		want map[string]int64
	}{
		{"known", map[string]int64{"insert": 1}},
		{"known no more", map[string]int64{"find": 1, "insert": 1}},
		{"known again", map[string]int64{"insert": 1}},
	} {
		if round.who == "known no more" {
			clock.wait(believed)
		}
		if diff := cmp.Diff(round.want, schedule()); diff != "" {
			t.Errorf("a caller who is %s (-want +got):\n%s", round.who, diff)
		}
	}

	// Somebody who once logged out elsewhere is known as well.
	other := api.Token(t, "admin@example.com")
	wantStatus(t, "logout", api.Post(t, logoutRoute, other, nil), http.StatusOK)
	for _, want := range []map[string]int64{{"find": 1, "insert": 1}, {"insert": 1}} {
		if diff := cmp.Diff(want, schedule()); diff != "" {
			t.Errorf("a caller with a session that ended (-want +got):\n%s", diff)
		}
	}
}

// TestWhatADeletedAccountCosts: a look, and none while it is freshly known that
// there is nobody.
func TestWhatADeletedAccountCosts(t *testing.T) {
	t.Parallel()
	var commands mongodb.CommandCounter
	clock := newHands()
	db := mongotest.Database(t, options.Client().SetMonitor(commands.Monitor()))
	api := apitest.Start(t, db, apitest.Options{Now: clock.now})
	token := api.Token(t, "an@example.com")
	if _, err := db.Collection(authmongo.UsersCollection).DeleteOne(t.Context(), bson.M{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []map[string]int64{{"find": 1}, {}, {}} {
		commands.Reset()
		wantStatus(t, "logout of a deleted account", api.Post(t, logoutRoute, token, nil), http.StatusUnauthorized)
		if diff := cmp.Diff(want, commands.Counts()); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
	}
	clock.wait(believed)
	commands.Reset()
	wantStatus(t, "and when that was a while ago", api.Post(t, logoutRoute, token, nil), http.StatusUnauthorized)
	if diff := cmp.Diff(map[string]int64{"find": 1}, commands.Counts()); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
