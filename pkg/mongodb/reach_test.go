package mongodb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// TestWhyNoServerIsReached: the log names the variable, the member that does not
// come, and what to do.
func TestWhyNoServerIsReached(t *testing.T) {
	t.Parallel()
	missing := nobody(t)
	var secondary, ghost *wiretest.Server
	started := make(chan struct{})
	secondary = wiretest.New(t, func(command bson.Raw) bson.D {
		<-started
		return wiretest.Greet(command, bson.D{
			{Key: "isWritablePrimary", Value: false},
			{Key: "secondary", Value: true},
			{Key: "setName", Value: "rs0"},
			{Key: "me", Value: secondary.Host()},
			{Key: "hosts", Value: bson.A{secondary.Host(), missing}},
		}, nil)
	})
	ghost = wiretest.New(t, func(command bson.Raw) bson.D {
		return wiretest.Greet(command, bson.D{{Key: "isWritablePrimary", Value: false}, {Key: "isreplicaset", Value: true}}, nil)
	})
	close(started)
	for name, test := range map[string]struct {
		uri  string
		want []string
	}{
		"a member never comes": {
			"mongodb://user:hunter2@" + secondary.Host() + "," + missing + "/db?replicaSet=rs0",
			[]string{"the replica set of MONGODB_URI has no primary", secondary.Host() + " is a secondary", missing + " does not answer", "start the members that are missing"},
		},
		"it was never initiated": {
			"mongodb://" + ghost.Host() + "/db?replicaSet=rs0",
			[]string{"the replica set of MONGODB_URI has no primary", ghost.Host() + " belongs to no set yet", "initiate a new set once with rs.initiate()"},
		},
		"nobody is there": {
			"mongodb://user:hunter2@" + missing + "/db",
			[]string{"no server of MONGODB_URI answers", missing + " does not answer", "connection refused", "start MongoDB, or set MONGODB_URI to where it is"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			journal, log := newJournal()
			go func() {
				<-journal.lines
				cancel()
			}()
			_, err := mongodb.Connect(ctx, mongodb.Options{URI: test.uri, Log: log, AttemptTimeout: time.Second})
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(journal.String(), want) {
					t.Errorf("the error is\n%v\nand the log\n%s, want both with %q", err, journal, want)
				}
			}
			if strings.Contains(journal.String(), "hunter2") {
				t.Error("the log tells credentials")
			}
		})
	}
}
