package mongodb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/outagetest"
)

// insertWithin writes one document, and gives up after the time.
func insertWithin(t *testing.T, client *mongodb.Client, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := client.Database().Collection("jobs").InsertOne(ctx, bson.D{{Key: "name", Value: "send mail"}})
	return err
}

// A network that drops packets closes nothing: only the caller's deadline ends
// the wait.
func TestAFrozenConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	door := outagetest.New(t, wiretest.New(t, plain).Host())
	client := connect(t, mongodb.Options{URI: "mongodb://" + door.Address()})
	door.Freeze()
	if err := insertWithin(t, client, 200*time.Millisecond); !mongodb.IsUnavailable(err) {
		t.Errorf("insert while frozen = %v, want that the server is unavailable", err)
	}
	door.Restore()
	if err := insertWithin(t, client, patience); err != nil {
		t.Errorf("insert once it thawed: %v", err)
	}
}

// A server that is killed closes its connections and refuses new ones.
func TestAKilledServerIsUnavailable(t *testing.T) {
	t.Parallel()
	server := wiretest.New(t, plain)
	client := connect(t, mongodb.Options{URI: "mongodb://" + server.Host()})
	if err := insertWithin(t, client, patience); err != nil {
		t.Fatalf("insert before: %v", err)
	}
	server.Close()
	if err := insertWithin(t, client, 200*time.Millisecond); !mongodb.IsUnavailable(err) {
		t.Errorf("insert = %v, want that the server is unavailable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := client.Ping(ctx); err == nil || !strings.Contains(err.Error(), server.Host()) {
		t.Errorf("Ping = %v, want an error with the host", err)
	}
}

// The first candidate accepts connections and never answers; the second is used,
// where that is allowed, and the client says so.
func TestFallbackFromACandidateThatHangs(t *testing.T) {
	t.Parallel()
	hanging := outagetest.New(t, wiretest.New(t, plain).Host())
	hanging.Freeze()
	second := wiretest.New(t, plain)
	journal, log := newJournal()
	client := connect(t, mongodb.Options{
		AtlasURI: "mongodb://" + hanging.Address() + "/cloud", URI: "mongodb://" + second.Host() + "/local",
		Fallback: mongodb.FallbackAllow, Log: log, AttemptTimeout: time.Second,
	})
	if want := (mongodb.Target{Name: "MONGODB_URI", Host: second.Host(), Fallback: true}); client.Target() != want {
		t.Errorf("target = %+v, want %+v", client.Target(), want)
	}
	if err := insertWithin(t, client, patience); err != nil {
		t.Errorf("insert into the second candidate: %v", err)
	}
	if text := journal.String(); !strings.Contains(text, "using the fallback database") {
		t.Errorf("the log does not tell of the fallback:\n%s", text)
	}
}

// The first candidate comes back while it is still being tried: no fallback.
func TestTheFirstCandidateIsPreferredWhenItComesBack(t *testing.T) {
	t.Parallel()
	first := outagetest.New(t, wiretest.New(t, plain).Host())
	first.Cut()
	journal, log := newJournal()
	go func() {
		<-journal.lines // the first attempt has failed
		first.Restore()
	}()
	client := connect(t, mongodb.Options{
		AtlasURI: "mongodb://" + first.Address() + "/cloud", URI: "mongodb://" + wiretest.New(t, plain).Host() + "/local",
		Log: log, AttemptTimeout: time.Second,
	})
	if want := (mongodb.Target{Name: "MONGODB_ATLAS_URI", Host: first.Address()}); client.Target() != want {
		t.Errorf("target = %+v, want %+v", client.Target(), want)
	}
}
