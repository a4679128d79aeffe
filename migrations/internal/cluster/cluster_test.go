package cluster_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/cluster"
	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// recorder is a mongos that remembers the commands of administrators.
type recorder struct {
	mu       sync.Mutex
	commands []bson.Raw
	sharded  []bson.D          // documents of config.collections
	refuse   map[string]bson.D // replies by command
}

func (r *recorder) answer(command bson.Raw) bson.D {
	if reply := wiretest.Greet(command, bson.D{{Key: "msg", Value: "isdbgrid"}}, bson.D{{Key: "version", Value: "7.0.14"}}); reply != nil {
		return reply
	}
	switch wiretest.Name(command) {
	case "find":
		return bson.D{{Key: "cursor", Value: bson.D{
			{Key: "id", Value: int64(0)}, {Key: "ns", Value: "config.collections"}, {Key: "firstBatch", Value: append([]bson.D{}, r.sharded...)},
		}}}
	case "endSessions":
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands = append(r.commands, slices.Clone(command))
	return r.refuse[wiretest.Name(command)]
}

// said lists the recorded commands as name, value and database.
func (r *recorder) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, c := range r.commands {
		value, _ := c.Lookup(wiretest.Name(c)).StringValueOK()
		all = append(all, wiretest.Name(c)+" "+value+" on "+wiretest.Database(c))
	}
	return all
}

func connect(t *testing.T, r *recorder) *mongo.Database {
	t.Helper()
	server := wiretest.New(t, r.answer)
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + server.Host()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
	return client.Database("etrainer")
}

var mongos = mongodb.Capabilities{Topology: mongodb.TopologySharded}

func TestShardPlansAndApplies(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	db := connect(t, r)
	actions, err := cluster.Shard(t.Context(), db, mongos, "")
	if err != nil {
		t.Fatal(err)
	}
	if said := r.said(); len(said) > 0 {
		t.Fatalf("the plan ran %q", said)
	}
	for _, action := range actions {
		if action.Do != nil {
			if err := action.Do(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	said := r.said()
	if said[0] != "enableSharding etrainer on admin" || !slices.Contains(said, "shardCollection etrainer.practicehistories on admin") {
		t.Errorf("the cluster was told %q", said)
	}
	if slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "agendaJobs") || strings.Contains(s, "users") }) {
		t.Errorf("a collection that must stay on one shard was distributed: %q", said)
	}
}

func TestShardLeavesWhatIsSharded(t *testing.T) {
	t.Parallel()
	r := &recorder{sharded: []bson.D{
		{{Key: "_id", Value: "etrainer.notifications"}, {Key: "key", Value: bson.D{{Key: "user", Value: 1}}}},
		{{Key: "_id", Value: "etrainer.practicehistories"}, {Key: "key", Value: bson.D{{Key: "_id", Value: "hashed"}}}},
	}}
	actions, err := cluster.Shard(t.Context(), connect(t, r), mongos, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range actions {
		if action.Do != nil && (action.Collection == "notifications" || action.Collection == "practicehistories" || action.Collection == "") {
			t.Errorf("it would %s %s", action.Text, action.Collection)
		}
	}
}

func TestShardRefusesOneServer(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	_, err := cluster.Shard(t.Context(), connect(t, r), mongodb.Capabilities{Topology: mongodb.TopologyReplicaSet}, "")
	if !errors.Is(err, migrate.ErrRefused) || !strings.Contains(err.Error(), "replica set") || len(r.said()) > 0 {
		t.Errorf("the error is %v, want a refusal that names the replica set", err)
	}
}

func TestCreateReader(t *testing.T) {
	t.Parallel()
	for name, accounts := range map[string]bool{"without accounts": false, "with accounts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			if err := cluster.CreateReader(t.Context(), connect(t, r), "", cluster.Reader{Name: "inspector", Password: "p", Accounts: accounts}); err != nil {
				t.Fatal(err)
			}
			if said := r.said(); !slices.Equal(said, []string{"createRole inspector" + "Role on etrainer", "createUser inspector on etrainer"}) {
				t.Fatalf("the server was told %q", said)
			}
			role := r.commands[0].String()
			if strings.Contains(role, `"users"`) != accounts || !strings.Contains(role, `"agendaRuns"`) {
				t.Errorf("the role is %s", role)
			}
			for _, write := range []string{"insert", "update", "remove", "dropCollection"} {
				if strings.Contains(role, `"`+write+`"`) {
					t.Errorf("the role may %s", write)
				}
			}
		})
	}
}

func TestCreateReaderRefusesATakenName(t *testing.T) {
	t.Parallel()
	failed := func(code int32) bson.D {
		return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: "no"}}
	}
	for name, refusal := range map[string]map[string]bson.D{
		"the user exists":          {"createUser": failed(51003)},
		"a user without the right": {"createRole": failed(13)},
		"Atlas":                    {"createRole": failed(8000)},
		"the development engine":   {"createRole": failed(59)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := cluster.CreateReader(t.Context(), connect(t, &recorder{refuse: refusal}), "", cluster.Reader{Name: "inspector", Password: "secret"})
			if !errors.Is(err, migrate.ErrRefused) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error is %v, want a refusal without the password", err)
			}
		})
	}
	r := &recorder{refuse: map[string]bson.D{"createRole": failed(51002)}}
	if err := cluster.CreateReader(t.Context(), connect(t, r), "", cluster.Reader{Name: "inspector"}); err != nil || !slices.Contains(r.said(), "updateRole inspectorRole on etrainer") {
		t.Errorf("a role that is there gives %v after %q, want it updated", err, r.said())
	}
}
