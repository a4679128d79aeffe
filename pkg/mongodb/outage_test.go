package mongodb_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/outagetest"
	"github.com/etrainer/backend/pkg/schema"
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
		Fallback: mongodb.FallbackAllow, Log: log, AttemptTimeout: time.Second,
	})
	if want := (mongodb.Target{Name: "MONGODB_ATLAS_URI", Host: first.Address()}); client.Target() != want {
		t.Errorf("target = %+v, want %+v", client.Target(), want)
	}
}

// A network that is slow is no outage: it shows in the log and in the metrics.
func TestASlowConnectionWorksAndShows(t *testing.T) {
	t.Parallel()
	const delay = 200 * time.Millisecond
	door := outagetest.New(t, wiretest.New(t, plain).Host())
	registry := metrics.New("test", nil)
	counter, err := mongodb.NewCommandCounter(registry)
	if err != nil {
		t.Fatal(err)
	}
	journal, log := newJournal()
	client := connect(t, mongodb.Options{URI: "mongodb://" + door.Address(), Log: log, Monitor: counter.Monitor(), SlowCommand: delay})
	door.Delay(delay)
	if err := insertWithin(t, client, patience); err != nil {
		t.Fatalf("insert over a slow network: %v", err)
	}
	if text := journal.String(); strings.Count(text, "slow database command") != 1 || !strings.Contains(text, "command=insert") {
		t.Errorf("the log does not tell of one slow insert:\n%s", text)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if labels := metric.GetLabel(); family.GetName() == "etrainer_mongodb_command_seconds" && labels[0].GetValue() == "insert" {
				if seconds := metric.GetHistogram().GetSampleSum(); seconds < delay.Seconds() {
					t.Errorf("the insert took %v seconds by the metric", seconds)
				}
				return
			}
		}
	}
	t.Error("the insert is not in the metric")
}

// What a program does between Connect and its work waits for the database too.
func TestTheStartWaitsForADatabaseThatGoesAway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at string // where the connection is cut
		do func(context.Context, *mongodb.Client, *slog.Logger) error
	}{
		"schema": {schema.MigrationsCollection, func(ctx context.Context, c *mongodb.Client, log *slog.Logger) error {
			err := mongodb.CheckSchema(ctx, c.Database(), "", log)
			if errors.Is(err, config.ErrConfig) { // it was never migrated, which it says now
				return nil
			}
			return err
		}},
		"server clock": {"timekeeping", func(ctx context.Context, c *mongodb.Client, log *slog.Logger) error {
			clock := mongodb.NewServerClock(c, log)
			return errors.Join(clock.Start(ctx), clock.Stop(ctx))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := wiretest.New(t, func(command bson.Raw) bson.D {
				if wiretest.Name(command) == "find" {
					return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "a.b"}, {Key: "firstBatch", Value: bson.A{}}}}}
				}
				return plain(command)
			})
			door := outagetest.New(t, server.Host())
			journal, log := newJournal()
			client := connect(t, mongodb.Options{URI: "mongodb://" + door.Address() + "/timekeeping", AttemptTimeout: time.Second})
			door.CutAt(test.at)
			go func() {
				<-journal.lines
				door.Restore()
			}()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := test.do(ctx, client, log); err != nil {
				t.Errorf("it failed: %v", err)
			}
			if !strings.Contains(journal.String(), "MongoDB does not answer") {
				t.Errorf("the log does not tell of the outage:\n%s", journal)
			}
		})
	}
}

// A start that is given up tells why the database was not reached.
func TestPersistEndsWithItsContext(t *testing.T) {
	t.Parallel()
	errEnough, errAway := errors.New("enough"), mongo.CommandError{Code: 189, Message: "stepped down"}
	ctx, cancel := context.WithCancelCause(t.Context())
	calls := 0
	err := mongodb.Persist(ctx, slog.New(slog.DiscardHandler), func(context.Context) error {
		if calls++; calls == 2 {
			cancel(errEnough)
		}
		return errAway
	})
	if calls != 2 || !errors.Is(err, errEnough) || !strings.Contains(err.Error(), "gave up after 2 attempts") || !strings.Contains(err.Error(), "stepped down") {
		t.Errorf("after %d calls: %v", calls, err)
	}
}
