package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MigrationsCollection holds what "migrate" did: one document for each step,
// the lock, and the record of the version.
const MigrationsCollection = "schema_migrations"

// Collection is one collection and its indexes.
type Collection struct {
	Name    string
	Holds   string // what its documents are, in a few words
	Indexes []Index
	// Few is why the collection stays small, so that it may be read as a whole;
	// "" = it grows.
	Few string
	// ShardKey distributes the collection on a sharded cluster; nil = it stays
	// on one shard. The reasons are in docs/scaling.md.
	ShardKey bson.D
}

// Index is one index that the code relies on. The index on _id is never
// declared: every collection has it.
type Index struct {
	// Name is the name that is made; "" = the one that MongoDB derives from
	// the keys, such as email_1. An index with these keys and options counts,
	// whatever its name.
	Name string
	// Keys are the fields in order, 1 or -1 each.
	Keys bson.D
	// Unique refuses a second document with the same values.
	Unique bool
	// Partial is the condition of the documents that the index holds; nil =
	// all.
	Partial bson.D
	// TTL removes a document when the date in the one key has passed.
	TTL bool
	// Few is why the index stays small whatever the collection holds, so that it
	// may be read as a whole and sorted in memory; "" = it grows.
	Few string
	// Serves is the query that needs the index.
	Serves string
	// Without is what happens where the engine cannot make it. An index that
	// is partial or TTL needs it; without those it is empty.
	Without string
}

// IndexName is the name under which the index is made.
func (i Index) IndexName() string {
	if i.Name != "" {
		return i.Name
	}
	parts := make([]string, 0, 2*len(i.Keys))
	for _, key := range i.Keys {
		parts = append(parts, key.Key, fmt.Sprint(key.Value))
	}
	return strings.Join(parts, "_")
}

// Optional reports that not every engine can make the index.
func (i Index) Optional() bool { return i.TTL || i.Partial != nil }

// String is the index in words, such as {name: 1, type: 1} unique, partial.
func (i Index) String() string {
	keys := make([]string, len(i.Keys))
	for n, key := range i.Keys {
		keys[n] = fmt.Sprintf("%s: %v", key.Key, key.Value)
	}
	var properties []string
	for _, property := range []struct {
		is   bool
		word string
	}{{i.Unique, "unique"}, {i.Partial != nil, "partial"}, {i.TTL, "TTL"}} {
		if property.is {
			properties = append(properties, property.word)
		}
	}
	text := "{" + strings.Join(keys, ", ") + "}"
	if len(properties) > 0 {
		text += " " + strings.Join(properties, ", ")
	}
	return text
}

// Collections lists every collection that the code uses, in the order in which
// their indexes are made. jobs is the name of the job collection; "" = Jobs.
func Collections(jobs string) []Collection {
	all := Queue(jobs)
	all = append(all, Accounts()...)
	all = append(all, Learning()...)
	all = append(all, Notifying()...)
	return append(all, Media()...)
}

// Find returns a collection of Collections by name.
func Find(collections []Collection, name string) (Collection, bool) {
	for _, c := range collections {
		if c.Name == name {
			return c, true
		}
	}
	return Collection{}, false
}

// Fingerprint tells whether two sets of indexes are the same: it changes with
// every property that the server is told of, and not with the texts.
func Fingerprint(collections []Collection) string {
	hash := sha256.New()
	for _, c := range collections {
		for _, index := range c.Indexes {
			partial, err := bson.MarshalExtJSON(index.Partial, true, false)
			if err != nil { // declared in source code: a test reads every one
				partial = []byte(err.Error())
			}
			fmt.Fprintf(hash, "%s|%s|%s|%s\n", c.Name, index.IndexName(), index, partial)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// keys builds index keys from pairs.
func keys(pairs ...any) bson.D {
	d := make(bson.D, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		d = append(d, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return d
}

// Retired is an index that an earlier release made and that nothing uses any
// more. "migrate up" drops it where it is exactly this one.
type Retired struct {
	Collection string
	Index      Index  // Serves and Without are empty
	By         string // what is there in its place
}

// RetiredIndexes lists them. jobs is the name of the job collection; "" = Jobs.
func RetiredIndexes(jobs string) []Retired { return retiredOfQueue(jobs) }
