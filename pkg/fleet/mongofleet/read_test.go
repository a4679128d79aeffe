package mongofleet_test

import (
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
)

// strange are values of the types that a document can hold.
func strange() map[string]any {
	return map[string]any{
		"double":    1.5,
		"huge":      math.MaxFloat64,
		"text":      "soon",
		"empty":     "",
		"document":  bson.D{{Key: "a", Value: 1}},
		"array":     bson.A{"a", 1},
		"nothing":   bson.A{},
		"binary":    bson.Binary{Subtype: 0x80, Data: []byte{0, 255}},
		"id":        bson.NewObjectID(),
		"bool":      true,
		"date":      start,
		"year 9999": time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"null":      nil,
		"regex":     bson.Regex{Pattern: "a.*", Options: "i"},
		"int":       int32(7),
		"long":      int64(math.MinInt64),
		"timestamp": bson.Timestamp{T: 1, I: 2},
		"large":     strings.Repeat("x", 64<<10),
	}
}

// base is a good document.
func base(id any) bson.D {
	return bson.D{
		{Key: "_id", Value: id},
		{Key: "kind", Value: "worker"},
		{Key: "host", Value: "h"},
		{Key: "pid", Value: 7},
		{Key: "version", Value: "1"},
		{Key: "startedAt", Value: start},
		{Key: "seenAt", Value: start},
		{Key: "expiresAt", Value: start.Add(time.Minute)},
		{Key: "endsAt", Value: start.Add(2 * time.Minute)},
		{Key: "inFlight", Value: 0},
		{Key: "memory", Value: int64(1)},
		{Key: "draining", Value: false},
		{Key: "parent", Value: bson.D{{Key: "pid", Value: 1}}},
		{Key: "problems", Value: bson.A{bson.D{{Key: "id", Value: "1"}}}},
		{Key: "runs", Value: bson.A{bson.D{{Key: "name", Value: "a"}, {Key: "limit", Value: 1}}}},
	}
}

// Whatever a document holds, in whatever field: all others are listed, it never
// makes the list fail, and what cannot be used is told of once, by its id.
func TestDamagedDocumentsCostNobodyElse(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	now := func() time.Time { return start }
	problems := queue.NewProblems(now, slog.New(slog.DiscardHandler))
	r := mongofleet.New(db, now).Reporting(problems)
	register(t, r, worker("worker@first", start.Add(-time.Hour)), worker("worker@last", start.Add(time.Hour)))
	inserted := 0
	insert := func(document bson.D) bool {
		_, err := db.Collection(mongofleet.Collection).InsertOne(t.Context(), document)
		if err == nil {
			inserted++
		}
		return err == nil // some engines refuse some values
	}
	for _, field := range base("") {
		for kind, value := range strange() {
			name := fmt.Sprintf("%s %s", field.Key, kind)
			if field.Key == "_id" {
				insert(base(value))
				continue
			}
			document := base(name)
			for i := range document {
				if document[i].Key == field.Key {
					document[i].Value = value
				}
			}
			insert(document)
		}
	}
	insert(bson.D{})
	insert(bson.D{{Key: "_id", Value: "worker@empty"}})
	if inserted < 200 {
		t.Fatalf("the engine took only %d documents", inserted)
	}
	for range 2 {
		instances, err := r.Instances(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]fleet.Instance{}
		for _, i := range instances {
			seen[i.ID] = i
			if i.Kind != fleet.Worker && i.Kind != fleet.API || i.ID == "" || i.SeenAt.IsZero() || i.Span() > 24*time.Hour {
				t.Errorf("listed is %+v", i)
			}
		}
		for _, id := range []string{"worker@first", "worker@last"} {
			if _, ok := seen[id]; !ok {
				t.Errorf("%s is not listed", id)
			}
		}
		// Who it is and whether it lives can be told: it can be rescued.
		for _, id := range []string{"host document", "parent text", "runs text", "pid array", "problems int", "startedAt text", "inFlight array"} {
			if _, ok := seen[id]; !ok {
				t.Errorf("%s is not listed", id)
			}
		}
		if !seen["inFlight array"].Busy() {
			t.Error("what cannot be told counts as idle")
		}
	}
	if n := len(problems.List()); n < 100 {
		t.Errorf("only %d problems are told", n)
	}
}

func TestProblemsNameTheDocumentAndTheFix(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	now := func() time.Time { return start }
	problems := queue.NewProblems(now, slog.New(slog.DiscardHandler))
	r := mongofleet.New(db, now).Reporting(problems)
	for _, document := range []bson.D{
		{{Key: "_id", Value: int32(7)}, {Key: "kind", Value: "worker"}, {Key: "seenAt", Value: start}, {Key: "expiresAt", Value: start}},
		{{Key: "_id", Value: "w"}, {Key: "kind", Value: "tractor"}, {Key: "seenAt", Value: start}, {Key: "expiresAt", Value: start}},
		{{Key: "_id", Value: "x"}, {Key: "kind", Value: "worker"}, {Key: "seenAt", Value: start}, {Key: "expiresAt", Value: start.Add(25 * time.Hour)}},
		{{Key: "_id", Value: "y"}, {Key: "kind", Value: "worker"}, {Key: "seenAt", Value: start}},
		{{Key: "_id", Value: "z"}, {Key: "kind", Value: "worker"}, {Key: "seenAt", Value: start}, {Key: "expiresAt", Value: "soon"}},
	} {
		if _, err := db.Collection(mongofleet.Collection).InsertOne(t.Context(), document); err != nil {
			t.Fatal(err)
		}
	}
	if got := listed(t, r); len(got) != 0 {
		t.Errorf("listed are %v", got)
	}
	want := map[string]string{
		`{"$numberInt":"7"}`: "the field _id is no text but a value of the type 32-bit integer",
		"w":                  `the field kind is "tractor", and not api or worker`,
		"x":                  "the field expiresAt is more than a day after seenAt",
		"y":                  "the field expiresAt is missing",
		"z":                  "the field expiresAt is no date but a value of the type string",
	}
	for _, problem := range problems.List() {
		if what := want[problem.ID]; what == "" || !strings.HasSuffix(problem.What, what) || problem.Fix == "" || problem.Collection != "agendaInstances" {
			t.Errorf("the problem of %s is %q; fix %q", problem.ID, problem.What, problem.Fix)
		}
		delete(want, problem.ID)
	}
	for id := range want {
		t.Errorf("nothing is told of %s", id)
	}
}
