package mongoqueue

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	// leftOutFor is how long a document that cannot be used stays out of the
	// searches. Then it is looked at again: somebody may have put it right.
	leftOutFor = 10 * time.Minute
	// maxLeftOut bounds the list of them. Where there are more, searches ask
	// for documents with an ObjectId only, and the list begins anew.
	maxLeftOut = 1000
	// maxMisses is how often in a row a job may be found and not claimed. A
	// faster worker explains a few.
	maxMisses = 5
)

// leftOut is what this process leaves out of its searches.
type leftOut struct {
	mu     sync.Mutex
	ids    map[string]leftOutID
	typed  time.Time // until when only ObjectIds are asked for
	misses map[bson.ObjectID]miss
}

// miss counts how often in a row a job was found and not claimed, as long as it
// stands as it was found first: a faster worker changes it.
type miss struct {
	times       int
	due, locked time.Time
}

type leftOutID struct {
	value bson.RawValue
	until time.Time
}

// add leaves a document out for a while.
func (l *leftOut) add(id bson.RawValue, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ids == nil {
		l.ids = map[string]leftOutID{}
	}
	if len(l.ids) >= maxLeftOut {
		clear(l.ids)
		l.typed = now.Add(leftOutFor)
	}
	value := bson.RawValue{Type: id.Type, Value: append([]byte(nil), id.Value...)}
	l.ids[value.String()] = leftOutID{value: value, until: now.Add(leftOutFor)}
}

// now lists what is left out, and a condition on _id that goes with it.
func (l *leftOut) now(now time.Time) (ids []any, only bson.D) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, id := range l.ids {
		if now.After(id.until) {
			delete(l.ids, key)
			continue
		}
		ids = append(ids, id.value)
	}
	if now.Before(l.typed) {
		only = bson.D{{Key: "$type", Value: "objectId"}}
	}
	return ids, only
}

// missed counts that a candidate was not claimed, and reports that it was too
// often.
func (l *leftOut) missed(c candidate) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.misses == nil || len(l.misses) > maxLeftOut {
		l.misses = map[bson.ObjectID]miss{}
	}
	m := l.misses[c.ID]
	if !m.due.Equal(c.NextRunAt) || !m.locked.Equal(c.LockedAt) {
		m = miss{due: c.NextRunAt, locked: c.LockedAt}
	}
	m.times++
	l.misses[c.ID] = m
	return m.times >= maxMisses
}

// forget ends the count of a candidate.
func (l *leftOut) forget(id bson.ObjectID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.misses, id)
}

// leaveOut takes a document that cannot be used out of the next searches, and
// tells of it.
func (s *Store) leaveOut(ctx context.Context, raw bson.Raw, problem string) {
	id := raw.Lookup("_id")
	s.leftOut.add(id, s.Now())
	name, _ := raw.Lookup("name").StringValueOK()
	s.options.Problems.Report(ctx, queue.Problem{
		Collection: s.options.Collection, ID: idText(id), Name: name,
		What: "this job cannot be run: " + problem,
		Fix:  "delete the document, or insert it again with a text as its name and an ObjectId as its _id",
	})
}

// refuseJob leaves out a job of which the database refuses a write.
func (s *Store) refuseJob(ctx context.Context, id bson.ObjectID, name, doing string, err error) {
	kind, value, _ := bson.MarshalValue(id)
	s.leftOut.add(bson.RawValue{Type: kind, Value: value}, s.Now())
	s.options.Problems.Report(ctx, queue.Problem{
		Collection: s.options.Collection, ID: id.Hex(), Name: name,
		What: "the database refuses to " + doing + ": " + errs.ShortenTo(err.Error(), maxReason),
		Fix:  "make the document smaller, or delete it; what it asks for can be enqueued anew",
	})
}

// idText is an _id of any type for people.
func idText(id bson.RawValue) string {
	if oid, ok := id.ObjectIDOK(); ok {
		return oid.Hex()
	}
	if text, ok := id.StringValueOK(); ok {
		return text
	}
	return id.String()
}

// maxReason bounds the text of the server in what people read.
const maxReason = 500

// sizes is the average size of the documents of each name, as seen lately: it
// keeps a batch of large documents small before they are read.
type sizes struct {
	mu     sync.Mutex
	byName map[string]int
}

// of is the expected size of a job of a name.
func (s *sizes) of(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[name]
}

// seen tells the size of a job that was read.
func (s *sizes) seen(name string, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName == nil {
		s.byName = map[string]int{}
	}
	if known, ok := s.byName[name]; ok {
		size = (3*known + size) / 4
	}
	s.byName[name] = size
}
