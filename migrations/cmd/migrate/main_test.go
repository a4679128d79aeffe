package main

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/schema"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// TestTheFallbackIsNotMigrated: with Atlas away, a command that did its work on
// the other database and ended with 0 would be believed.
func TestTheFallbackIsNotMigrated(t *testing.T) {
	db := mongotest.Database(t)
	atlas := wiretest.New(t, func(command bson.Raw) bson.D { // it takes no writes
		return wiretest.Greet(command, bson.D{{Key: "isWritablePrimary", Value: false}, {Key: "secondary", Value: true}, {Key: "setName", Value: "rs0"}}, nil)
	})
	t.Setenv("CONFIG_FILE", "")
	t.Setenv("MONGODB_URI", strings.TrimSuffix(mongotest.URI(t), "/")+"/"+db.Name())
	up := func(patience string) (int, schema.State) {
		t.Helper()
		code := run(t.Context(), []string{"up", "--connect-timeout", patience})
		state, err := mongodb.SchemaState(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		return code, state
	}
	t.Setenv("MONGODB_ATLAS_URI", "mongodb://"+atlas.Host()+"/"+db.Name()+"?directConnection=true")
	t.Setenv("MONGODB_FALLBACK", mongodb.FallbackAllow)
	// It is more time than the attempts take after which a program uses the fallback.
	if code, state := up("5s"); code != lifecycle.ExitFailed || state.Version != 0 {
		t.Errorf("with Atlas away: exit code %d, and the other database has version %d", code, state.Version)
	}
	t.Setenv("MONGODB_ATLAS_URI", "")
	if code, state := up("30s"); code != lifecycle.ExitOK || state.Version != schema.Version {
		t.Errorf("without Atlas: exit code %d, version %d", code, state.Version)
	}
}
