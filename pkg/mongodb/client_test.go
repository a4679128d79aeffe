package mongodb_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/outagetest"
)

// patience bounds what should take a fraction of it.
const patience = 20 * time.Second

func TestFirstHostOfATarget(t *testing.T) {
	t.Parallel()
	for hosts, want := range map[string]struct {
		host string
		port int
	}{
		"db1:27018,db2:27019": {"db1", 27018}, "cluster0.example.net": {"cluster0.example.net", 27017},
		"[::1]:27020": {"::1", 27020}, "db:none": {"db", 0}, "": {"", 27017},
	} {
		if host, port := (mongodb.Target{Host: hosts}).First(); host != want.host || port != want.port {
			t.Errorf("%q begins with %s, port %d; want %+v", hosts, host, port, want)
		}
	}
}

// connect connects, or fails the test.
func connect(t *testing.T, options mongodb.Options) *mongodb.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := mongodb.Connect(ctx, options)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return client
}

// journal is a log that tests read, and wait for lines in.
type journal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan string
}

func newJournal() (*journal, *slog.Logger) {
	j := &journal{lines: make(chan string, 100)}
	return j, slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines <- string(p)
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestConnectFindsOutWhatTheServerIs(t *testing.T) {
	t.Parallel()
	all := mongodb.Capabilities{
		Engine: mongodb.EngineMongoDB, Version: "7.0.14", WireVersion: 21,
		TTL: true, PartialIndexes: true, UpdatePipelines: true, Expr: true, Lookup: true, Facet: true, AggregationAvg: true,
	}
	standalone, replicaSet, sharded, ferret2 := all, all, all, all
	standalone.Topology = mongodb.TopologyStandalone
	replicaSet.Topology, replicaSet.ReplicaSet, replicaSet.Transactions, replicaSet.ChangeStreams = mongodb.TopologyReplicaSet, true, true, true
	replicaSet.SetName = "rs0"
	sharded.Topology, sharded.ReplicaSet, sharded.Transactions, sharded.ChangeStreams = mongodb.TopologySharded, true, true, true
	ferret2.Engine, ferret2.Version, ferret2.Topology = mongodb.EngineFerretDB, "2.5.0", mongodb.TopologyStandalone

	mongo7 := bson.D{{Key: "version", Value: "7.0.14"}}
	tests := map[string]struct {
		hello, build bson.D
		want         mongodb.Capabilities
	}{
		"standalone":  {nil, mongo7, standalone},
		"replica set": {bson.D{{Key: "setName", Value: "rs0"}}, mongo7, replicaSet},
		"sharded":     {bson.D{{Key: "msg", Value: "isdbgrid"}}, mongo7, sharded},
		"FerretDB 1": {
			bson.D{{Key: "setName", Value: "rs0"}},
			bson.D{{Key: "version", Value: "7.0.42"}, {Key: "ferretdbVersion", Value: "v1.24.2"}},
			mongodb.Capabilities{Engine: mongodb.EngineFerretDB, Version: "1.24.2", Topology: mongodb.TopologyStandalone, WireVersion: 21},
		},
		"FerretDB 2": {
			nil, bson.D{{Key: "version", Value: "7.0.77"}, {Key: "ferretdb", Value: bson.D{{Key: "version", Value: "2.5.0"}}}}, ferret2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := wiretest.New(t, func(command bson.Raw) bson.D { return wiretest.Greet(command, test.hello, test.build) })
			client := connect(t, mongodb.Options{URI: "mongodb://" + server.Host() + "/?directConnection=true"})
			if diff := cmp.Diff(test.want, client.Capabilities()); diff != "" {
				t.Errorf("capabilities (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConnectRefusesASecondary(t *testing.T) {
	t.Parallel()
	server := wiretest.New(t, func(command bson.Raw) bson.D {
		return wiretest.Greet(command, bson.D{
			{Key: "isWritablePrimary", Value: false}, {Key: "secondary", Value: true}, {Key: "setName", Value: "rs0"},
		}, nil)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	journal, log := newJournal()
	go func() {
		<-journal.lines
		cancel()
	}()
	_, err := mongodb.Connect(ctx, mongodb.Options{URI: "mongodb://" + server.Host() + "/?directConnection=true", Log: log})
	if !errors.Is(err, mongodb.ErrNotPrimary) {
		t.Errorf("Connect = %v, want ErrNotPrimary", err)
	}
}

func TestTargetAndDatabase(t *testing.T) {
	t.Parallel()
	server := wiretest.New(t, plain)
	host := server.Host()
	tests := map[string]struct {
		options  mongodb.Options
		target   string
		database string
	}{
		"named":                         {mongodb.Options{URI: "mongodb://" + host + "/school"}, "MONGODB_URI", "school"},
		"default":                       {mongodb.Options{URI: "mongodb://" + host}, "MONGODB_URI", "etrainer"},
		"Atlas first":                   {mongodb.Options{AtlasURI: "mongodb://" + host + "/a", URI: "mongodb://" + host + "/b"}, "MONGODB_ATLAS_URI", "a"},
		"Atlas database by part":        {mongodb.Options{AtlasURI: "mongodb://" + host, AtlasDatabase: "c"}, "MONGODB_ATLAS_URI", "c"},
		"Atlas database in the address": {mongodb.Options{AtlasURI: "mongodb://" + host + "/a", AtlasDatabase: "c"}, "MONGODB_ATLAS_URI", "a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t, test.options)
			if want := (mongodb.Target{Name: test.target, Host: host}); client.Target() != want {
				t.Errorf("target = %+v, want %+v", client.Target(), want)
			}
			if got := client.Database().Name(); got != test.database || client.Namespace() != test.database {
				t.Errorf("database = %q, namespace = %q, want %q", got, client.Namespace(), test.database)
			}
		})
	}
}

func TestWritesAreForAMajorityAndReadsFromThePrimary(t *testing.T) {
	t.Parallel()
	commands := make(chan bson.Raw, 10)
	server := wiretest.New(t, func(command bson.Raw) bson.D {
		switch wiretest.Name(command) {
		case "insert":
			commands <- command
			return bson.D{{Key: "n", Value: 1}}
		case "find":
			commands <- command
			return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "a.b"}, {Key: "firstBatch", Value: bson.A{}}}}}
		}
		return wiretest.Greet(command, bson.D{{Key: "msg", Value: "isdbgrid"}}, nil)
	})
	client := connect(t, mongodb.Options{URI: "mongodb://" + server.Host() + "/?w=1&journal=false&readPreference=secondary"})
	collection := client.Database().Collection("jobs")
	if _, err := collection.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
		t.Fatalf("insert: %v", err)
	}
	insert := <-commands
	if w, _ := insert.Lookup("writeConcern", "w").StringValueOK(); w != "majority" {
		t.Errorf("write concern of %v is not majority", insert)
	}
	if j, _ := insert.Lookup("writeConcern", "j").BooleanOK(); !j {
		t.Errorf("write concern of %v does not ask for the journal", insert)
	}
	cursor, err := collection.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	if err := cursor.Close(t.Context()); err != nil {
		t.Fatalf("close cursor: %v", err)
	}
	find := <-commands
	if mode, ok := find.Lookup("$readPreference", "mode").StringValueOK(); ok && mode != "primary" {
		t.Errorf("read preference = %q, want primary", mode)
	}
}

func TestConnectWaitsForTheServer(t *testing.T) {
	t.Parallel()
	server := wiretest.New(t, plain)
	door := outagetest.New(t, server.Host())
	door.Cut()
	journal, log := newJournal()
	go func() {
		<-journal.lines // the first attempt has failed
		door.Restore()
	}()
	client := connect(t, mongodb.Options{
		URI: "mongodb://user:hunter2@" + door.Address() + "/db?authMechanism=PLAIN&authSource=$external", Log: log, AttemptTimeout: time.Second,
	})
	if client.Target().Fallback {
		t.Error("waiting counts as a fallback")
	}
	text := journal.String()
	if !strings.Contains(text, "level=WARN") || !strings.Contains(text, "attempt=1") || !strings.Contains(text, "connected to MongoDB") {
		t.Errorf("the log does not tell of the attempt and the connection:\n%s", text)
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "user:") {
		t.Errorf("the log tells credentials:\n%s", text)
	}
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	host := nobody(t)
	journal, log := newJournal()
	errEnough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for range 3 { // where it is allowed, the fallback is tried with the third
			<-journal.lines
		}
		cancel(errEnough)
	}()
	_, err := mongodb.Connect(ctx, mongodb.Options{
		AtlasURI: "mongodb://u:hunter2@" + host + "/db", URI: "mongodb://" + wiretest.New(t, plain).Host(), Log: log, AttemptTimeout: 100 * time.Millisecond,
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("Connect = %v, want the cause of its context", err)
	}
	for _, want := range []string{"connect to MongoDB: gave up after 3 attempts", "no server of MONGODB_ATLAS_URI answers (" + host + " does not answer", "connection refused"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %q", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error quotes the password: %v", err)
	}
}

func TestFallback(t *testing.T) {
	t.Parallel()
	local := wiretest.New(t, plain)
	journal, log := newJournal()
	client := connect(t, mongodb.Options{
		AtlasURI: "mongodb://" + nobody(t) + "/cloud", URI: "mongodb://" + local.Host() + "/local",
		Fallback: mongodb.FallbackAllow, Log: log, AttemptTimeout: 50 * time.Millisecond,
	})
	if want := (mongodb.Target{Name: "MONGODB_URI", Host: local.Host(), Fallback: true}); client.Target() != want {
		t.Errorf("target = %+v, want %+v", client.Target(), want)
	}
	if got := client.Database().Name(); got != "local" {
		t.Errorf("database = %q, want that of MONGODB_URI", got)
	}
	text := journal.String()
	if strings.Count(text, "level=WARN") != 3 || strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "using the fallback database") {
		t.Errorf("want three warnings and a loud error:\n%s", text)
	}
	if got := client.Namespace(); got != "fallback:local" {
		t.Errorf("namespace = %q, which the processes on Atlas may have as well", got)
	}
	registry := metrics.New("test", nil)
	registry.MustRegister(client.Collector())
	if got := samples(t, registry, "etrainer_mongodb_fallback"); !cmp.Equal(got, []float64{1}) {
		t.Errorf("etrainer_mongodb_fallback = %v, want 1", got)
	}
}

func TestTheOrderOfTheCandidates(t *testing.T) {
	t.Parallel()
	const atlas, local = "mongodb://atlas/a", "mongodb://local/b"
	for name, test := range map[string]struct {
		options mongodb.Options
		want    []string
	}{
		"all three":                    {mongodb.Options{AtlasURI: atlas, AtlasCluster: "c.example.net", URI: local}, []string{"MONGODB_ATLAS_URI"}},
		"all three, fallback":          {mongodb.Options{AtlasURI: atlas, AtlasCluster: "c.example.net", URI: local, Fallback: "allow"}, []string{"MONGODB_ATLAS_URI", "MONGODB_URI"}},
		"parts":                        {mongodb.Options{AtlasCluster: "c.example.net", URI: local}, []string{"MONGODB_ATLAS_CLUSTER"}},
		"parts, fallback":              {mongodb.Options{AtlasCluster: "c.example.net", URI: local, Fallback: "allow"}, []string{"MONGODB_ATLAS_CLUSTER", "MONGODB_URI"}},
		"no cluster, fallback":         {mongodb.Options{AtlasUser: "u", AtlasDatabase: "d", URI: local, Fallback: "allow"}, []string{"MONGODB_URI"}},
		"a command, fallback for some": {mongodb.Options{AtlasURI: atlas, URI: local, Fallback: "allow"}.WithoutFallback(), []string{"MONGODB_ATLAS_URI"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mongodb.Candidates(test.options)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v, candidates (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestPausesAreJittered: processes that lost the database together must not come
// back to it together.
func TestPausesAreJittered(t *testing.T) {
	t.Parallel()
	const n = 12
	one, other := mongodb.Pauses(n), mongodb.Pauses(n)
	if cmp.Equal(one, other) {
		t.Errorf("two processes pause alike: %v", one)
	}
	middle := 500 * time.Millisecond
	for i, pause := range one {
		if pause < middle/2 || pause > middle*3/2 {
			t.Errorf("pause %d is %s, want %s and a half more or less", i, pause, middle)
		}
		middle = min(2*middle, 10*time.Second)
	}
}

func TestMinPoolSizeIsKeptOpen(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host(), MinPoolSize: 3})
	eventually(t, "three connections are open though one is needed", func() bool { return client.PoolStats().Open == 3 })
}

func TestPingAfterACut(t *testing.T) {
	t.Parallel()
	door := outagetest.New(t, wiretest.New(t, plain).Host())
	client := connect(t, mongodb.Options{URI: "mongodb://" + door.Address()})
	if err := client.Ping(t.Context()); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	door.Cut()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := client.Ping(ctx); err == nil || !strings.Contains(err.Error(), door.Address()) {
		t.Errorf("Ping of a server that is cut off = %v, want an error with its host", err)
	}
	door.Restore()
	again, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.Ping(again); err != nil {
		t.Errorf("Ping of the server that is back: %v", err)
	}
}

func TestCloseTwice(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host()})
	for range 2 {
		if err := client.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := client.Ping(t.Context()); err == nil {
		t.Error("Ping of a closed client succeeds")
	}
}
