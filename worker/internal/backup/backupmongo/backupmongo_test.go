package backupmongo_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/backupmongo"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var replicaSet = mongodb.Capabilities{
	Engine: mongodb.EngineMongoDB, Version: "7.0.14", Topology: mongodb.TopologyReplicaSet, WireVersion: 21, ReplicaSet: true,
}

// library is a database with two collections and a view, of which find answers
// what the test wants.
func library(find func(bson.Raw) bson.D) map[string]func(bson.Raw) bson.D {
	uuid := bson.Binary{Subtype: 4, Data: []byte("0123456789abcdef")}
	return map[string]func(bson.Raw) bson.D{
		"listCollections": func(bson.Raw) bson.D {
			return page(
				"etrainer.$cmd.listCollections",
				bson.D{{Key: "name", Value: "users"}, {Key: "type", Value: "collection"}, {Key: "options", Value: bson.D{}}, {Key: "info", Value: bson.D{{Key: "uuid", Value: uuid}}}},
				bson.D{{Key: "name", Value: "log"}, {Key: "type", Value: "collection"}, {Key: "options", Value: bson.D{{Key: "capped", Value: true}, {Key: "size", Value: int64(4096)}}}},
				bson.D{{Key: "name", Value: "adults"}, {Key: "type", Value: "view"}, {Key: "options", Value: bson.D{{Key: "viewOn", Value: "users"}, {Key: "pipeline", Value: bson.A{}}}}},
				bson.D{{Key: "name", Value: "system.views"}, {Key: "type", Value: "collection"}},
				bson.D{{Key: "name", Value: "system.profile"}, {Key: "type", Value: "collection"}},
				bson.D{{Key: "name", Value: "system.js"}, {Key: "type", Value: "collection"}},
			)
		},
		"listIndexes": func(command bson.Raw) bson.D {
			indexes := []any{bson.D{{Key: "v", Value: int32(2)}, {Key: "key", Value: bson.D{{Key: "_id", Value: int32(1)}}}, {Key: "name", Value: "_id_"}}}
			if command.Lookup("listIndexes").StringValue() == "users" {
				indexes = append(indexes, bson.D{
					{Key: "v", Value: int32(2)},
					{Key: "key", Value: bson.D{{Key: "seen", Value: int32(1)}}},
					{Key: "name", Value: "seen_1"},
					{Key: "expireAfterSeconds", Value: int32(60)},
					{Key: "partialFilterExpression", Value: bson.D{{Key: "a", Value: bson.D{{Key: "$gt", Value: int64(1)}}}}},
				})
			}
			return page("etrainer.x", indexes...)
		},
		"count": func(bson.Raw) bson.D { return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 1}} },
		"find":  find,
	}
}

func one(command bson.Raw) bson.D {
	if command.Lookup("find").StringValue() == "backupSnapshotProbe" {
		return page("etrainer.backupSnapshotProbe")
	}
	return page("etrainer."+command.Lookup("find").StringValue(), bson.D{{Key: "_id", Value: 1}})
}

func now() time.Time { return time.Date(2026, 8, 17, 3, 0, 0, 0, time.UTC) }

// On a replica set every collection is read in one session, at the cluster time
// that the first answer named, and the manifest says so.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s, db := serve(t, library(one))
	made, err := backup.Create(t.Context(), backupmongo.Of(db, replicaSet), dirstore.New(t.TempDir()), backup.CreateOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if !made.Consistent || made.Documents != 3 {
		t.Errorf("%d documents, consistent %t: %s", made.Documents, made.Consistent, made.Consistency)
	}
	finds := s.finds()
	if len(finds) != 3 {
		t.Fatalf("%d finds", len(finds))
	}
	for i, find := range finds {
		if level := find.Lookup("readConcern", "level").StringValue(); level != "snapshot" {
			t.Errorf("find %d reads at %q", i, level)
		}
		at, err := find.LookupErr("readConcern", "atClusterTime")
		switch {
		case i == 0 && err == nil:
			t.Errorf("the first find names the time %v", at)
		case i > 0 && err != nil:
			t.Errorf("find %d names no time: %s", i, find)
		case i > 0:
			if seconds, ordinal := at.Timestamp(); seconds != 42 || ordinal != 7 {
				t.Errorf("find %d reads at %d.%d", i, seconds, ordinal)
			}
		}
		if !find.Lookup("lsid").Equal(finds[0].Lookup("lsid")) {
			t.Errorf("find %d is in another session", i)
		}
	}
}

// A server whose history is too short for the backup gets the rest read without
// a snapshot, and the manifest tells what to do about it.
func TestSnapshotTooOld(t *testing.T) {
	t.Parallel()
	for code, name := range map[int]string{239: "SnapshotTooOld", 246: "SnapshotUnavailable"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, db := serve(t, library(func(command bson.Raw) bson.D {
				_, err := command.LookupErr("readConcern", "atClusterTime")
				if err == nil && command.Lookup("find").StringValue() == "users" {
					return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "codeName", Value: name}, {Key: "errmsg", Value: "too old"}}
				}
				return one(command)
			}))
			made, err := backup.Create(t.Context(), backupmongo.Of(db, replicaSet), dirstore.New(t.TempDir()), backup.CreateOptions{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			if made.Consistent || made.Documents != 3 || !strings.Contains(made.Consistency, "minSnapshotHistoryWindowInSeconds") {
				t.Errorf("%d documents, consistent %t: %s", made.Documents, made.Consistent, made.Consistency)
			}
			if finds := s.finds(); len(finds) != 4 {
				t.Errorf("%d finds; want one for each collection and a second one of users", len(finds))
			}
		})
	}
}

// A service that calls itself a replica set and takes no snapshot reads is read
// without, and the manifest has its words.
func TestSnapshotRefused(t *testing.T) {
	t.Parallel()
	_, db := serve(t, library(func(command bson.Raw) bson.D {
		if _, err := command.LookupErr("readConcern"); err == nil {
			return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 303}, {Key: "errmsg", Value: "Feature not supported: snapshot"}}
		}
		return one(command)
	}))
	made, err := backup.Create(t.Context(), backupmongo.Of(db, replicaSet), dirstore.New(t.TempDir()), backup.CreateOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if made.Consistent || made.Documents != 3 || !strings.Contains(made.Consistency, "Feature not supported") {
		t.Errorf("%d documents, consistent %t: %s", made.Documents, made.Consistent, made.Consistency)
	}
}

// A standalone server has no snapshots: nothing asks for them.
func TestStandalone(t *testing.T) {
	t.Parallel()
	s, db := serve(t, library(one))
	standalone := replicaSet
	standalone.ReplicaSet, standalone.Topology = false, mongodb.TopologyStandalone
	made, err := backup.Create(t.Context(), backupmongo.Of(db, standalone), dirstore.New(t.TempDir()), backup.CreateOptions{Now: now})
	if err != nil || made.Consistent || !strings.Contains(made.Consistency, "mongodb 7.0.14 as standalone has no snapshot reads") {
		t.Errorf("consistent %t: %s, %v", made.Consistent, made.Consistency, err)
	}
	for _, find := range s.finds() {
		if _, err := find.LookupErr("readConcern"); err == nil {
			t.Errorf("%s has a read concern", find)
		}
	}
}

// The server's own collections stay out, stored functions and views come along,
// and metadata has what mongodump writes.
func TestCollections(t *testing.T) {
	t.Parallel()
	_, db := serve(t, library(one))
	reader, err := backupmongo.Of(db, replicaSet).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(t.Context())
	collections, err := reader.Collections(t.Context(), func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range collections {
		got[c.Name+" "+c.Kind] = string(c.Metadata)
	}
	want := map[string]string{
		"adults view":          `{"options":{"viewOn":"users","pipeline":[]},"indexes":[],"collectionName":"adults","type":"view"}`,
		"log collection":       `{"options":{"capped":true,"size":{"$numberLong":"4096"}},"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}],"collectionName":"log","type":"collection"}`,
		"system.js collection": `{"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}],"collectionName":"system.js","type":"collection"}`,
		"users collection": `{"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},` +
			`{"v":{"$numberInt":"2"},"key":{"seen":{"$numberInt":"1"}},"name":"seen_1","expireAfterSeconds":{"$numberInt":"60"},"partialFilterExpression":{"a":{"$gt":{"$numberLong":"1"}}}}],` +
			`"uuid":"30313233343536373839616263646566","collectionName":"users","type":"collection"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the collections (-want +got):\n%s", diff)
	}
}

// A time series cannot be carried: the backup fails and says what to do, unless
// it is excluded.
func TestTimeSeries(t *testing.T) {
	t.Parallel()
	answers := library(one)
	answers["listCollections"] = func(bson.Raw) bson.D {
		return page("etrainer.$cmd.listCollections", bson.D{{Key: "name", Value: "weather"}, {Key: "type", Value: "timeseries"}})
	}
	_, db := serve(t, answers)
	store := dirstore.New(t.TempDir())
	_, err := backup.Create(t.Context(), backupmongo.Of(db, replicaSet), store, backup.CreateOptions{Now: now})
	if err == nil || !strings.Contains(err.Error(), "weather") || !strings.Contains(err.Error(), "BACKUP_EXCLUDE") {
		t.Errorf("the error is %v", err)
	}
	made, err := backup.Create(t.Context(), backupmongo.Of(db, replicaSet), store, backup.CreateOptions{Now: now, Exclude: []string{"weather"}})
	if err != nil || cmp.Diff([]string{"weather"}, made.Excluded) != "" {
		t.Errorf("excluded %v, %v", made.Excluded, err)
	}
}

// What a restore sends: options as they were, indexes without what belongs to
// the old server, documents past validation.
func TestTarget(t *testing.T) {
	t.Parallel()
	ok := func(bson.Raw) bson.D { return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 1}} }
	s, db := serve(t, map[string]func(bson.Raw) bson.D{"create": ok, "insert": ok, "createIndexes": func(command bson.Raw) bson.D {
		if strings.Contains(command.String(), "refused_1") {
			return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 67}, {Key: "errmsg", Value: "cannot create"}}
		}
		return bson.D{{Key: "ok", Value: 1}}
	}})
	target := backupmongo.Of(db, replicaSet)
	view := backup.Collection{Name: "adults", Kind: backup.KindView, Metadata: []byte(`{"options":{"viewOn":"users","pipeline":[]},"indexes":[],"collectionName":"adults","type":"view"}`)}
	users := backup.Collection{Name: "users", Kind: backup.KindCollection, Metadata: []byte(`{"options":{"capped":true,"size":{"$numberLong":"4096"}},"indexes":[
		{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},
		{"v":{"$numberInt":"1"},"key":{"b":{"$numberInt":"1"}},"name":"refused_1"},
		{"v":{"$numberInt":"1"},"key":{"a":{"$numberInt":"-1"},"b":{"$numberDouble":"1.0"}},"name":"a_-1","ns":"old.users","unique":true}],"collectionName":"users"}`)}
	if err := errors.Join(target.CreateCollection(t.Context(), view), target.CreateCollection(t.Context(), users)); err != nil {
		t.Fatal(err)
	}
	document, err := bson.Marshal(bson.D{{Key: "_id", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Insert(t.Context(), "users", [][]byte{document}); err != nil {
		t.Fatal(err)
	}
	if err := target.Insert(t.Context(), "users", [][]byte{{6, 0, 0, 0, 99, 0}}); err == nil || !strings.Contains(err.Error(), "not valid BSON") {
		t.Errorf("a document that is none: %v", err)
	}
	if err := target.CreateIndexes(t.Context(), users); err == nil || !strings.Contains(err.Error(), "index refused_1: ") {
		t.Errorf("the error is %v; it has to name the index", err)
	}

	want := []string{
		`{"create":"adults","viewOn":"users","pipeline":[]}`, `{"create":"users","capped":true,"size":4096}`,
	}
	for i, command := range s.commands("create") {
		if !strings.HasPrefix(plain(t, command), strings.TrimSuffix(want[i], "}")) {
			t.Errorf("create %d is %s, want %s", i, plain(t, command), want[i])
		}
	}
	indexes := s.commands("createIndexes")
	if len(indexes) != 3 || !strings.Contains(plain(t, indexes[2]), `"indexes":[{"key":{"a":-1,"b":1.0},"name":"a_-1","unique":true}]`) {
		t.Errorf("the indexes are made by %s", indexes)
	}
	for _, insert := range s.commands("insert") {
		if !insert.Lookup("bypassDocumentValidation").Boolean() {
			t.Errorf("%s is validated", insert)
		}
	}
}

func plain(t *testing.T, command bson.Raw) string {
	t.Helper()
	text, err := bson.MarshalExtJSON(command, false, false)
	if err != nil || !json.Valid(text) {
		t.Fatal(err)
	}
	return string(text)
}
