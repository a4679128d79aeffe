package indexcheckmongo_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck/indexcheckmongo"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func has(findings []indexcheck.Finding, collection, index string) bool {
	for _, f := range findings {
		if f.Collection == collection && f.Index == index && f.Note != "" {
			return true
		}
	}
	return false
}

func TestCheck(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	store := indexcheckmongo.New(db, mongodb.Capabilities{}, "")
	check := func() indexcheck.Report {
		t.Helper()
		report, err := store.Check(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	report := check()
	if len(report.Missing)+len(report.Changed)+len(report.Unknown) > 0 || report.Collections != len(schema.Collections("")) {
		t.Fatalf("a migrated database gives %+v", report)
	}

	users := db.Collection(schema.Users)
	if err := users.Indexes().DropOne(t.Context(), "email_1"); err != nil {
		t.Fatal(err)
	}
	reminders := db.Collection(schema.Reminders)
	if err := reminders.Indexes().DropOne(t.Context(), "user_1"); err != nil {
		t.Fatal(err)
	}
	for collection, index := range map[*mongo.Collection]mongo.IndexModel{
		users:     {Keys: bson.D{{Key: "lastActive", Value: -1}}},
		reminders: {Keys: bson.D{{Key: "user", Value: 1}}, Options: options.Index().SetUnique(true)},
	} {
		if _, err := collection.Indexes().CreateOne(t.Context(), index); err != nil {
			t.Fatal(err)
		}
	}
	report = check()
	if !has(report.Missing, schema.Users, "email_1") || !has(report.Unknown, schema.Users, "lastActive_-1") || !has(report.Changed, schema.Reminders, "user_1") {
		t.Errorf("the report is %+v, want email_1 missing, lastActive_-1 unknown and user_1 of the reminders changed", report)
	}
	if !has(report.Impossible, schema.Runs, "retention") {
		t.Errorf("an engine without TTL is not named as the reason: %+v", report.Impossible)
	}
}
