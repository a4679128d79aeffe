package mongotest_test

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

func raw(t *testing.T, text string) bson.Raw {
	t.Helper()

	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatal(err)
	}

	command, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}

	return command
}

func TestWhatTheWatchFinds(t *testing.T) {
	t.Parallel()

	const store = "pkg/queue/mongoqueue.(*Store).anything"

	for name, test := range map[string]struct {
		function, command string
		want              string // a part of the fault; "" = there is none
	}{
		"an index serves":                 {store, `{"find": "agendaJobs", "filter": {"_id": 1}}`, ""},
		"nothing serves":                  {store, `{"find": "agendaJobs", "filter": {"x": 1}}`, "pkg/queue/mongoqueue.(*Store).anything (file.go:1) sends find agendaJobs, filter {\"x\":1}"},
		"nothing serves another package":  {"api/internal/x.Do", `{"find": "users", "filter": {"x": 1}}`, "missing: an index {x: 1}"},
		"a named exception":               {"worker/internal/handlers/x.Do", `{"find": "users", "filter": {"x": 1}}`, ""},
		"another name of the collection":  {store, `{"find": "theirJobs", "filter": {"name": "a"}, "limit": 1}`, ""},
		"nothing serves there":            {store, `{"find": "theirJobs", "filter": {"x": 1}}`, "find theirJobs"},
		"a foreign collection":            {"api/internal/x.Do", `{"find": "others", "filter": {"_id": 1}}`, "not declared"},
		"durable":                         {store, `{"insert": "agendaJobs", "writeConcern": {"w": "majority", "j": true}}`, ""},
		"no write concern":                {store, `{"insert": "agendaJobs"}`, "write concern"},
		"no majority":                     {store, `{"update": "agendaRuns", "updates": [], "writeConcern": {"w": 1, "j": true}}`, "write concern"},
		"no journal":                      {store, `{"delete": "agendaRuns", "deletes": [], "writeConcern": {"w": "majority"}}`, "write concern"},
		"not acknowledged":                {store, `{"findAndModify": "agendaJobs", "query": {"_id": 1}, "writeConcern": {"w": 0}}`, "write concern"},
		"within a transaction":            {store, `{"insert": "agendaJobs", "autocommit": false}`, ""},
		"the write of another package":    {"api/internal/x.Do", `{"insert": "users"}`, ""},
		"a command that nobody knows yet": {store, `{"reticulate": "agendaJobs"}`, "not known"},
	} {
		faults := mongotest.Faults(test.function, raw(t, test.command))
		if text := strings.Join(faults, "\n"); (test.want == "") != (text == "") || !strings.Contains(text, test.want) {
			t.Errorf("%s: the faults are %q, want %q", name, faults, test.want)
		}
	}

	twice := mongotest.Faults(store, raw(t, `{"find": "agendaJobs", "filter": {"x": 1}}`), raw(t, `{"find": "agendaJobs", "filter": {"x": 2}}`))
	if len(twice) != 1 {
		t.Errorf("the faults are %q, want one for one line of the program", twice)
	}
}

// TestTheWatchKnowsTheSender: it sees the clients of package mongodb as well, and
// tells the product from its tests.
func TestTheWatchKnowsTheSender(t *testing.T) {
	t.Parallel()

	client, err := mongodb.Connect(t.Context(), mongodb.Options{URI: mongotest.URI(t)})
	if err != nil {
		t.Fatal(err)
	}

	db := client.Mongo().Database(mongotest.Name(t))

	defer func() {
		if err := db.Drop(t.Context()); err != nil {
			t.Error(err)
		}

		if err := client.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()

	store := mongoqueue.New(db, mongoqueue.Options{})
	if _, err := store.List(t.Context(), queue.Filter{}); err != nil {
		t.Fatal(err)
	}

	if err := db.Collection("others").FindOne(t.Context(), bson.D{{Key: "x", Value: 1}}).Err(); err != mongo.ErrNoDocuments { //nolint:errorlint // as it is
		t.Fatal(err)
	}

	seen := mongotest.Seen()
	if !slices.Contains(seen, "pkg/queue/mongoqueue.(*list).find find by _id_") {
		t.Errorf("seen is %q, without the page", seen)
	}
}
