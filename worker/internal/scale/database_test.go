package scale

import (
	"encoding/binary"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/schema"
)

// size is how much there is.
type size struct{ users, history int }

const (
	// answerBytes is what a MongoDB server puts into one answer at the most.
	answerBytes = 16 << 20
	// firstBatch is how many documents the first answer has when nobody asks
	// for more.
	firstBatch = 101
	// ages is the first bytes of every id: all were made in 2023.
	ages = 0x63f00000
)

// database is a server with generated documents. It keeps nothing: what is
// written is counted and forgotten.
type database struct {
	*wiretest.Server
	size size
	now  time.Time

	mu       sync.Mutex
	cursors  map[int64]*stream
	last     int64
	commands map[string]int
	written  map[string]int // documents inserted and updated, by collection
}

// stream is the documents of a query that are still to come.
type stream struct {
	namespace string
	next      func(to []byte) ([]byte, bool) // appends one document
}

func newDatabase(t testing.TB, s size, now time.Time) *database {
	d := &database{size: s, now: now, cursors: map[int64]*stream{}, commands: map[string]int{}, written: map[string]int{}}
	d.Server = wiretest.New(t, d.answer)
	return d
}

// counted returns the commands so far.
func (d *database) counted() (commands, written map[string]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.commands), maps.Clone(d.written)
}

func (d *database) answer(command bson.Raw) bson.D {
	name := wiretest.Name(command)
	if reply := wiretest.Greet(command, bson.D{{Key: "logicalSessionTimeoutMinutes", Value: 30}}, bson.D{{Key: "version", Value: "8.0.0"}}); reply != nil || name == "hello" || name == "endSessions" {
		return reply
	}
	d.mu.Lock()
	d.commands[name]++
	d.mu.Unlock()
	switch collection, _ := command.Lookup(name).StringValueOK(); name {
	case "find":
		limit, _ := command.Lookup("limit").AsInt64OK()
		return d.first(collection, d.find(collection, command.Lookup("filter").Document(), int(limit)), command.Lookup("batchSize"))
	case "aggregate":
		batch, _ := command.Lookup("cursor", "batchSize").AsInt64OK()
		return d.first(collection, d.aggregate(collection, command.Lookup("pipeline").Array().String()), bson.RawValue{Type: bson.TypeInt64, Value: bsoncore.AppendInt64(nil, batch)})
	case "getMore":
		id := command.Lookup("getMore").Int64()
		batch, _ := command.Lookup("batchSize").AsInt64OK()
		return d.page(id, "nextBatch", int(batch))
	case "count":
		return bson.D{{Key: "n", Value: d.total(collection)}}
	case "insert":
		return d.took(collection, len(values(command.Lookup("documents"))))
	case "update":
		n := len(values(command.Lookup("updates")))
		return append(d.took(collection, n), bson.E{Key: "nModified", Value: n})
	case "delete":
		n := 0
		for _, one := range values(command.Lookup("deletes")) {
			n += len(values(one.Document().Lookup("q", "_id", "$in")))
		}
		return d.took("removed from "+collection, n)
	case "listCollections":
		return d.list()
	case "listIndexes":
		return cursorOf(0, "etrainer."+collection, "firstBatch", bsonArray(bson.D{{Key: "v", Value: 2}, {Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "name", Value: "_id_"}}))
	}
	return nil
}

func (d *database) took(collection string, n int) bson.D {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written[collection] += n
	return bson.D{{Key: "n", Value: n}}
}

// total is how many documents a collection has.
func (d *database) total(collection string) int {
	switch collection {
	case schema.Users, schema.Reminders, schema.UserJourneys:
		return d.size.users
	case schema.PracticeHistories:
		return d.size.history - d.size.history/10
	case schema.ExamHistories:
		return d.size.history / 10
	}
	return 0
}

func values(array bson.RawValue) []bson.RawValue {
	list, ok := array.ArrayOK()
	if !ok {
		return nil
	}
	found, err := list.Values()
	if err != nil {
		return nil
	}
	return found
}

// find makes the documents that match: of a range of users, of given ids, or
// all of a collection.
func (d *database) find(collection string, filter bson.Raw, limit int) *stream {
	field, perUser := "user", d.total(collection)/max(d.size.users, 1)
	if collection == schema.Users || collection == schema.Reminders {
		field = "_id"
	}
	from, to := 0, d.size.users
	if after, ok := filter.Lookup(field, "$gt").ObjectIDOK(); ok && after != bson.NilObjectID {
		from = numberOf(after) + 1
	}
	if upTo, ok := filter.Lookup(field, "$lte").ObjectIDOK(); ok {
		to = numberOf(upTo) + 1
	}
	if ids := values(filter.Lookup("_id", "$in")); len(ids) > 0 {
		i := -1
		return &stream{next: func(out []byte) ([]byte, bool) {
			i++
			if i >= len(ids) || d.total(collection) == 0 {
				return out, false
			}
			return d.document(out, collection, numberOf(ids[i].ObjectID()), 0), true
		}}
	}
	i, end := from*perUser-1, to*perUser
	if limit > 0 {
		end = min(end, from*perUser+limit)
	}
	return &stream{next: func(out []byte) ([]byte, bool) {
		if i++; i >= end {
			return out, false
		}
		return d.document(out, collection, i/perUser, i), true
	}}
}

// aggregate answers what jobs group and count.
func (d *database) aggregate(collection, pipeline string) *stream {
	single := func(n int) *stream {
		sent := n == 0
		return &stream{next: func(out []byte) ([]byte, bool) {
			if sent {
				return out, false
			}
			sent = true
			start, out := bsoncore.AppendDocumentStart(out)
			out = bsoncore.AppendInt32Element(out, "_id", 1)
			out = bsoncore.AppendInt32Element(out, "n", int32(n))
			out, _ = bsoncore.AppendDocumentEnd(out, start)
			return out, true
		}}
	}
	switch {
	case strings.Contains(pipeline, `"$type"`) && strings.Contains(pipeline, `"$or"`), strings.Contains(pipeline, `"$nin"`), strings.Contains(pipeline, `"$not"`):
		return single(0) // nothing has a foreign type
	case strings.Contains(pipeline, `"n"`):
		return single(d.total(collection))
	case strings.Contains(pipeline, `"$user"`) && strings.Contains(pipeline, `"$sort"`): // who was active
		i := -1
		return &stream{next: func(out []byte) ([]byte, bool) {
			if i++; i >= d.size.users || d.total(collection) == 0 {
				return out, false
			}
			start, out := bsoncore.AppendDocumentStart(out)
			out = bsoncore.AppendObjectIDElement(out, "_id", idOf(i))
			out, _ = bsoncore.AppendDocumentEnd(out, start)
			return out, true
		}}
	}
	return single(0)
}

func (d *database) first(collection string, s *stream, batch bson.RawValue) bson.D {
	s.namespace = "etrainer." + collection
	n, _ := batch.AsInt64OK()
	if n == 0 {
		n = firstBatch
	}
	d.mu.Lock()
	d.last++
	id := d.last
	d.cursors[id] = s
	d.mu.Unlock()
	return d.page(id, "firstBatch", int(n))
}

// page is the next answer of a cursor; n = 0 fills it.
func (d *database) page(id int64, field string, n int) bson.D {
	d.mu.Lock()
	s := d.cursors[id]
	d.mu.Unlock()
	if s == nil {
		return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 43}, {Key: "errmsg", Value: "cursor not found"}}
	}
	start, array := bsoncore.AppendArrayStart(nil)
	open := id
	for i := 0; (n == 0 || i < n) && len(array) < answerBytes; i++ {
		before := len(array)
		array = bsoncore.AppendHeader(array, bsoncore.TypeEmbeddedDocument, key(i))
		with, more := s.next(array)
		if !more {
			array, open = array[:before], 0
			break
		}
		array = with
	}
	array, _ = bsoncore.AppendArrayEnd(array, start)
	if open == 0 {
		d.mu.Lock()
		delete(d.cursors, id)
		d.mu.Unlock()
	}
	return cursorOf(open, s.namespace, field, array)
}

// key is the name of an element of an array. Drivers do not look at it.
func key(i int) string { return string(rune('0' + i%10)) }

func cursorOf(id int64, namespace, field string, array []byte) bson.D {
	return bson.D{{Key: "cursor", Value: bson.D{
		{Key: "id", Value: id}, {Key: "ns", Value: namespace}, {Key: field, Value: bson.RawValue{Type: bson.TypeArray, Value: array}},
	}}}
}

func bsonArray(documents ...bson.D) []byte {
	var values bson.A
	for _, document := range documents {
		values = append(values, document)
	}
	_, array, err := bson.MarshalValue(values)
	if err != nil {
		panic(err)
	}
	return array
}

func (d *database) list() bson.D {
	var all []bson.D
	for _, name := range []string{schema.Users, schema.PracticeHistories, schema.ExamHistories, schema.UserJourneys, schema.Reminders} {
		all = append(all, bson.D{{Key: "name", Value: name}, {Key: "type", Value: "collection"}, {Key: "options", Value: bson.D{}}})
	}
	return cursorOf(0, "etrainer.$cmd.listCollections", "firstBatch", bsonArray(all...))
}

// idOf is the n-th id: ids are in the order of their numbers.
func idOf(n int) bson.ObjectID {
	var id bson.ObjectID
	binary.BigEndian.PutUint32(id[:4], ages)
	binary.BigEndian.PutUint64(id[4:], uint64(n))
	return id
}

func numberOf(id bson.ObjectID) int { return int(binary.BigEndian.Uint64(id[4:])) }
