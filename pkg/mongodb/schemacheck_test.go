package mongodb_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

func TestTheSchemaIsCheckedWithOneCommand(t *testing.T) {
	t.Parallel()
	counter := &mongodb.CommandCounter{}
	db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
	var log bytes.Buffer
	check := func() error {
		counter.Reset()
		err := mongodb.CheckSchema(t.Context(), db, "", slog.New(slog.NewTextHandler(&log, nil)))
		if n := counter.Counts()["find"]; n != 1 || counter.Total() != 1 {
			t.Errorf("the check took %v, want one find", counter.Counts())
		}
		return err
	}
	if err := db.Client().Ping(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := check(); !errors.Is(err, config.ErrConfig) || !strings.Contains(err.Error(), "run: migrate up") {
		t.Errorf("a database that was never migrated gives %v", err)
	}
	mongotest.Migrate(t, db)
	if err := check(); err != nil || log.Len() > 0 {
		t.Errorf("a migrated database gives %v and the log %q", err, &log)
	}
	set := func(fields bson.D) {
		t.Helper()
		_, err := db.Collection(schema.MigrationsCollection).UpdateOne(t.Context(), bson.D{{Key: "_id", Value: schema.StateID}}, bson.D{{Key: "$set", Value: fields}})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(bson.D{{Key: "indexes", Value: "others"}})
	if err := check(); err != nil || !strings.Contains(log.String(), "run: migrate up") {
		t.Errorf("other indexes give %v and the log %q, want a warning", err, &log)
	}
	set(bson.D{{Key: "version", Value: schema.Version + 1}, {Key: "readableFrom", Value: schema.Version + 1}})
	if err := check(); !errors.Is(err, config.ErrConfig) {
		t.Errorf("a newer database that breaks this release gives %v", err)
	}
}
