package schema_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/schema"
)

// TestEveryDeclarationIsWhole reads what is declared, as a colleague would
// who wonders why an index is there.
func TestEveryDeclarationIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range schema.Collections("") {
		if c.Name == "" || c.Holds == "" || seen[c.Name] {
			t.Errorf("collection %q has no name, no words, or is declared twice", c.Name)
		}
		seen[c.Name] = true
		names := map[string]bool{}
		for _, index := range c.Indexes {
			where := c.Name + "." + index.IndexName()
			if names[index.IndexName()] {
				t.Errorf("%s is declared twice", where)
			}
			names[index.IndexName()] = true
			if len(index.Keys) == 0 || index.Keys[0].Key == "_id" || index.Serves == "" {
				t.Errorf("%s has no keys, is that of _id, or does not say which query it serves", where)
			}
			if index.Optional() != (index.Without != "") {
				t.Errorf("%s: Without must be set for partial and TTL indexes, and for no others; it is %q", where, index.Without)
			}
			if index.TTL && len(index.Keys) != 1 {
				t.Errorf("%s: MongoDB makes TTL indexes of one field only", where)
			}
			if _, err := bson.MarshalExtJSON(index.Partial, true, false); index.Partial != nil && err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
}

func TestIndexNamesAndWords(t *testing.T) {
	t.Parallel()
	i := schema.Index{Keys: bson.D{{Key: "user", Value: 1}, {Key: "endTime", Value: -1}}, Unique: true}
	if got, want := i.IndexName(), "user_1_endTime_-1"; got != want {
		t.Errorf("the name is %s, want MongoDB's own, %s", got, want)
	}
	if got, want := i.String(), "{user: 1, endTime: -1} unique"; got != want {
		t.Errorf("in words %s, want %s", got, want)
	}
}

func TestTheJobCollectionCanHaveAnotherName(t *testing.T) {
	t.Parallel()
	c, found := schema.Find(schema.Collections("myJobs"), "myJobs")
	if !found || !slices.ContainsFunc(c.Indexes, func(i schema.Index) bool { return i.IndexName() == schema.AgendaIndex }) {
		t.Errorf("myJobs is %v (found: %v), want it with Agenda's index", c, found)
	}
	if _, found := schema.Find(schema.Collections("myJobs"), schema.Jobs); found {
		t.Error("the default name is declared as well")
	}
}

// TestTheFingerprintFollowsTheServer: what the server is told of changes it,
// and a better sentence does not.
func TestTheFingerprintFollowsTheServer(t *testing.T) {
	t.Parallel()
	of := func(change func(*schema.Index)) string {
		index := schema.Index{Keys: bson.D{{Key: "a", Value: 1}}, Serves: "x"}
		change(&index)
		return schema.Fingerprint([]schema.Collection{{Name: "c", Indexes: []schema.Index{index}}})
	}
	same := of(func(*schema.Index) {})
	if of(func(i *schema.Index) { i.Serves = "y" }) != same {
		t.Error("the words change it")
	}
	for name, change := range map[string]func(*schema.Index){
		"name":    func(i *schema.Index) { i.Name = "n" },
		"keys":    func(i *schema.Index) { i.Keys = bson.D{{Key: "a", Value: -1}} },
		"unique":  func(i *schema.Index) { i.Unique = true },
		"TTL":     func(i *schema.Index) { i.TTL = true },
		"partial": func(i *schema.Index) { i.Partial = bson.D{{Key: "a", Value: 1}} },
	} {
		if of(change) == same {
			t.Errorf("%s does not change it", name)
		}
	}
}

func TestWhichProgramsGoWithWhichDatabase(t *testing.T) {
	t.Parallel()
	program := schema.Program{Version: 5, Oldest: 4}
	tests := map[string]struct {
		state schema.State
		want  string // a part of the message; "" = they go together
	}{
		"never migrated":                      {schema.State{}, "run: migrate up"},
		"too old":                             {schema.State{Version: 3}, "has schema version 3, and this program needs 4 to 5; run: migrate up"},
		"the oldest":                          {schema.State{Version: 4}, ""},
		"its own":                             {schema.State{Version: 5}, ""},
		"newer, additions only":               {schema.State{Version: 7, ReadableFrom: 5}, ""},
		"newer, and it breaks older programs": {schema.State{Version: 7, ReadableFrom: 6}, "migrate down --to 5"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := program.Check(test.state)
			var mismatch *schema.MismatchError
			if test.want == "" && err != nil || test.want != "" && (!errors.As(err, &mismatch) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("the answer is %v, want %q", err, test.want)
			}
		})
	}
}

// TestShardKeysAreServedByTheIndexes: MongoDB wants an index that begins with
// the key, and refuses unique indexes that do not.
func TestShardKeysAreServedByTheIndexes(t *testing.T) {
	t.Parallel()
	begins := func(index schema.Index, key bson.D) bool {
		if len(index.Keys) < len(key) {
			return false
		}
		for i, e := range key {
			if index.Keys[i] != e {
				return false
			}
		}
		return true
	}
	for _, c := range schema.Collections("") {
		if c.ShardKey == nil {
			continue
		}
		served := false
		for _, index := range c.Indexes {
			served = served || index.Partial == nil && begins(index, c.ShardKey)
			if index.Unique && !begins(index, c.ShardKey) {
				t.Errorf("%s: the unique index %s does not begin with the shard key", c.Name, index.IndexName())
			}
		}
		if !served {
			t.Errorf("%s: no index begins with the shard key %v", c.Name, c.ShardKey)
		}
	}
}
