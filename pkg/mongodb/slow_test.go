package mongodb_test

import (
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// TestSlowCommandsAreLogged holds one answer back until the command is slow.
func TestSlowCommandsAreLogged(t *testing.T) {
	t.Parallel()
	const threshold = 20 * time.Millisecond
	server := wiretest.New(t, func(command bson.Raw) bson.D {
		if wiretest.Name(command) == "insert" {
			<-time.After(2 * threshold)
		}
		return plain(command)
	})
	journal, log := newJournal()
	client := connect(t, mongodb.Options{URI: "mongodb://" + server.Host(), Log: log, SlowCommand: threshold})
	if _, err := client.Database().Collection("people").InsertOne(t.Context(), bson.D{{Key: "secret", Value: "hidden"}}); err != nil {
		t.Fatal(err)
	}
	text := journal.String()
	for _, want := range []string{"slow database command", "command=insert", "collection=people", "outcome=ok"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hidden") {
		t.Errorf("the log tells what was written:\n%s", text)
	}
}

func TestQuickCommandsAreNotLogged(t *testing.T) {
	t.Parallel()
	for name, threshold := range map[string]time.Duration{"below the threshold": time.Hour, "without one": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			journal, log := newJournal()
			client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host(), Log: log, SlowCommand: threshold})
			if _, err := client.Database().Collection("people").InsertOne(t.Context(), bson.D{}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(journal.String(), "slow") {
				t.Errorf("a quick command is slow in the log:\n%s", journal)
			}
		})
	}
}

// TestReportsMayReadFromASecondary looks at what a mongos is asked.
func TestReportsMayReadFromASecondary(t *testing.T) {
	t.Parallel()
	commands := make(chan bson.Raw, 10)
	server := wiretest.New(t, func(command bson.Raw) bson.D {
		if wiretest.Name(command) == "find" {
			commands <- command
			return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "a.b"}, {Key: "firstBatch", Value: bson.A{}}}}}
		}
		return wiretest.Greet(command, bson.D{{Key: "msg", Value: "isdbgrid"}}, nil)
	})
	client := connect(t, mongodb.Options{URI: "mongodb://" + server.Host() + "/school"})
	cursor, err := client.Reports().Collection("people").Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	if err := cursor.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	find := <-commands
	if mode, _ := find.Lookup("$readPreference", "mode").StringValueOK(); mode != "secondaryPreferred" {
		t.Errorf("a report is read from %q", mode)
	}
	if level, _ := find.Lookup("readConcern", "level").StringValueOK(); level != "majority" {
		t.Errorf("a report is read with concern %q", level)
	}
	if got := wiretest.Database(find); got != "school" {
		t.Errorf("a report is read from database %q", got)
	}
}
