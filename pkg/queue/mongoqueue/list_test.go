package mongoqueue_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/queue/queuetest"
)

// stored is a job as the test put it into the collection.
type stored struct {
	*job.Document
}

// anyJob is a job of any state. Dates are few, so that many jobs share one.
func anyJob(random *rand.Rand, now time.Time) bson.D {
	date := func(least, most int) any {
		return bson.NewDateTimeFromTime(now.Add(time.Duration(least+random.IntN(most-least)) * time.Hour))
	}
	maybe := func(value any) any {
		if random.IntN(2) == 0 {
			return nil
		}
		return value
	}
	d := bson.D{
		{Key: "_id", Value: bson.NewObjectID()},
		{Key: "name", Value: fmt.Sprintf("job %d", random.IntN(4))},
		{Key: "type", Value: "normal"},
		{Key: "lockedAt", Value: nil},
		{Key: "nextRunAt", Value: maybe(date(-3, 3))},
		{Key: "lastFinishedAt", Value: maybe(date(-6, 0))},
		{Key: "failedAt", Value: nil},
		{Key: "repeatInterval", Value: nil},
	}
	set := func(key string, value any) {
		for i := range d {
			if d[i].Key == key {
				d[i].Value = value
			}
		}
	}
	switch random.IntN(6) {
	case 0:
		set("lockedAt", date(-2, 0))
	case 1:
		set("failedAt", date(-6, 0))
	case 2:
		set("repeatInterval", []any{"5 minutes", int32(60_000), 1e9, int64(5)}[random.IntN(4)])
	}
	return d
}

// foreign are values that no process of ours stores: each of them, in each field,
// may not cost another job anything.
func foreign() map[string]any {
	return map[string]any{
		"absent": nil, "empty text": "", "text": "tomorrow", "number": int32(7), "long": int64(-1) << 62, "fraction": 0.5, "true": true, "document": bson.D{{Key: "a", Value: 1}},
		"empty array": bson.A{}, "array of dates": bson.A{bson.NewDateTimeFromTime(queuetest.Start.Add(-time.Hour)), bson.NewDateTimeFromTime(queuetest.Start.Add(time.Hour))},
		"array of names": bson.A{"job 1", nil}, "year -271821": bson.DateTime(-8_640_000_000_000_000), "year 1": bson.DateTime(-62_135_596_800_000),
		"year 9999": bson.DateTime(253_402_300_799_000), "year 275760": bson.DateTime(8_640_000_000_000_000), "binary": bson.Binary{Data: []byte("x")},
		"timestamp": bson.Timestamp{T: 1, I: 2}, "expression": bson.Regex{Pattern: "a"}, "id": bson.ObjectID{1},
	}
}

var jobFields = []string{"_id", "name", "type", "data", "nextRunAt", "lockedAt", "lastRunAt", "lastFinishedAt", "failedAt", "failCount", "repeatInterval", "repeatAt", "disabled", "priority", "cancelledAt"}

// foreignJobs are jobs with each foreign value in each field.
func foreignJobs(random *rand.Rand, now time.Time) []any {
	var documents []any
	for _, field := range jobFields {
		for what, value := range foreign() {
			var d bson.D
			for _, e := range anyJob(random, now) {
				if e.Key != field && (e.Key != "_id" || field != "_id") {
					d = append(d, e)
				}
			}
			switch _, isArray := value.(bson.A); {
			case field == "_id" && (what == "absent" || isArray || what == "expression"):
				continue // no server stores it
			case what != "absent":
				d = append(d, bson.E{Key: field, Value: value})
			}
			documents = append(documents, d)
		}
	}
	return documents
}

// fill stores good and foreign jobs, and returns those that can be listed.
func fill(t *testing.T, jobs *mongo.Collection, random *rand.Rand, good int) map[bson.ObjectID]stored {
	t.Helper()
	documents := foreignJobs(random, queuetest.Start)
	for range good {
		documents = append(documents, anyJob(random, queuetest.Start))
	}
	random.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
	for _, d := range documents { // one by one: an engine may refuse some
		_, _ = jobs.InsertOne(t.Context(), d)
	}
	cursor, err := jobs.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[bson.ObjectID]stored{}
	for cursor.Next(t.Context()) {
		d := &job.Document{}
		if d.UnmarshalBSON(cursor.Current) == nil && !d.ID.IsZero() {
			listed[d.ID] = stored{d}
		}
	}
	if err := cursor.Err(); err != nil || len(listed) < good {
		t.Fatalf("%d jobs of %d are there (%v)", len(listed), good, err)
	}
	return listed
}

// expected is the list by the rule alone: state by state, each in its own order.
func expected(all map[bson.ObjectID]stored, filter queue.Filter, now time.Time) []bson.ObjectID {
	var found []stored
	for _, d := range all {
		named := len(filter.Names) == 0 || slices.Contains(filter.Names, d.Name)
		state := len(filter.States) == 0 || slices.Contains(filter.States, d.State(now))
		if named && state && (!filter.Dead || d.Dead()) {
			found = append(found, d)
		}
	}
	byState := len(filter.States) > 0 || filter.Dead
	slices.SortFunc(found, func(a, b stored) int {
		state := a.State(now)
		if other := b.State(now); byState && state != other {
			return cmp.Compare(slices.Index(job.States(), state), slices.Index(job.States(), other))
		}
		newest := strings.Compare(b.ID.Hex(), a.ID.Hex())
		switch {
		case !byState:
			return newest
		case state == job.Failed:
			return cmp.Or(b.FailedAt.Compare(a.FailedAt), newest)
		case state == job.Scheduled, state == job.Queued:
			return cmp.Or(a.NextRunAt.Compare(b.NextRunAt), -newest)
		default:
			return newest
		}
	})
	ids := []bson.ObjectID{}
	for _, d := range found {
		ids = append(ids, d.ID)
	}
	return ids
}

// pages lists everything, page by page, and calls between after each.
func pages(t *testing.T, store *mongoqueue.Store, filter queue.Filter, between func()) []bson.ObjectID {
	t.Helper()
	ids := []bson.ObjectID{}
	for n := 0; ; n++ {
		page, err := store.List(t.Context(), filter)
		if err != nil {
			t.Fatalf("page %d of %+v: %v", n, filter, err)
		}
		if len(page.Jobs) > filter.Limit || n > 2000 {
			t.Fatalf("page %d of %+v has %d jobs", n, filter, len(page.Jobs))
		}
		for _, d := range page.Jobs {
			ids = append(ids, d.ID)
		}
		if page.Next == "" {
			return ids
		}
		filter.Cursor = page.Next
		between()
	}
}

// filters are each state, several, none, the dead, and each of these by name.
func filters() []queue.Filter {
	var all []queue.Filter
	for _, names := range [][]string{nil, {"job 1"}, {"job 0", "job 3", "nobody's"}} {
		all = append(all, queue.Filter{Names: names}, queue.Filter{Names: names, Dead: true},
			queue.Filter{Names: names, States: []job.State{job.Completed, job.Queued, job.Failed}}, queue.Filter{Names: names, States: job.States()})
		for _, state := range job.States() {
			all = append(all, queue.Filter{Names: names, States: []job.State{state}})
		}
	}
	return all
}

// TestListsAreWholeAndInOrder compares every list, in pages of every size, with
// what the rule alone gives, among documents that no process of ours writes.
func TestListsAreWholeAndInOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	db := mongotest.Database(t)
	store := mongoqueue.New(db, mongoqueue.Options{Now: clockwork.NewFakeClockAt(queuetest.Start).Now})
	all := fill(t, db.Collection("agendaJobs"), random, 100)
	for n, filter := range filters() {
		filter.Limit = []int{7 + random.IntN(9), 25 + random.IntN(150)}[n%2]
		got, want := pages(t, store, filter, func() {}), expected(all, filter, queuetest.Start)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", filter, diff)
		}
	}
	counts, err := store.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []job.State{job.Running, job.Failed, job.Repeating} {
		if want := len(expected(all, queue.Filter{States: []job.State{state}}, queuetest.Start)); counts.ByState[state] != int64(want) {
			t.Errorf("%d jobs are counted as %s, want %d", counts.ByState[state], state, want)
		}
	}
}

// TestListsStayInPlaceUnderWrites: while somebody pages, other jobs come, go and
// change. Each job that stays as it is comes exactly once, and in order.
func TestListsStayInPlaceUnderWrites(t *testing.T) {
	t.Parallel()
	for _, state := range append(job.States(), "") {
		t.Run("state "+string(state), func(t *testing.T) {
			t.Parallel()
			db := mongotest.Database(t)
			jobs := db.Collection("agendaJobs")
			store := mongoqueue.New(db, mongoqueue.Options{Now: clockwork.NewFakeClockAt(queuetest.Start).Now})
			random := rand.New(rand.NewPCG(3, uint64(len(state))))
			all := fill(t, jobs, random, 60)
			filter := queue.Filter{Limit: 9}
			if state != "" {
				filter.States = []job.State{state}
			}
			want := expected(all, filter, queuetest.Start)
			random.Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
			touched, steady := want[:len(want)/2], want[len(want)/2:]
			left := slices.Clone(touched)
			got := pages(t, store, filter, func() {
				if _, err := jobs.InsertOne(t.Context(), anyJob(random, queuetest.Start)); err != nil {
					t.Fatal(err)
				}
				if len(left) == 0 {
					return
				}
				var err error
				if filter := (bson.D{{Key: "_id", Value: left[0]}}); random.IntN(2) == 0 {
					_, err = jobs.DeleteOne(t.Context(), filter)
				} else {
					_, err = jobs.UpdateOne(t.Context(), filter, bson.D{{Key: "$set", Value: anyJob(random, queuetest.Start)[1:]}})
				}
				if left = left[1:]; err != nil {
					t.Fatal(err)
				}
			})
			got = slices.DeleteFunc(got, func(id bson.ObjectID) bool { return !slices.Contains(steady, id) })
			inOrder := slices.DeleteFunc(expected(all, filter, queuetest.Start), func(id bson.ObjectID) bool { return !slices.Contains(steady, id) })
			if diff := gocmp.Diff(inOrder, got); diff != "" {
				t.Errorf("jobs that nobody touched (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCursorsOfAnotherList are refused, and so is what no page gave out.
func TestCursorsOfAnotherList(t *testing.T) {
	t.Parallel()
	store := mongoqueue.New(mongotest.Database(t), mongoqueue.Options{})
	id := bson.NewObjectID().Hex()
	for _, filter := range []queue.Filter{
		{Cursor: "nonsense"},
		{Cursor: id},
		{Cursor: "all"},
		{Cursor: "all." + id + "0"},
		{Cursor: "all.1." + id},
		{Cursor: "queued." + id},
		{Cursor: "queued.x." + id},
		{Cursor: "lost." + id},
		{Cursor: "completed." + id},
		{Cursor: "all." + id, States: []job.State{job.Queued}},
		{Cursor: "queued.5." + id, States: []job.State{job.Scheduled}},
		{Cursor: "completed." + id, Dead: true},
	} {
		if page, err := store.List(t.Context(), filter); err == nil {
			t.Errorf("%+v gives %+v", filter, page)
		}
	}
	many := make([]string, queue.MostNames+1)
	if _, err := store.List(t.Context(), queue.Filter{Names: many}); err == nil {
		t.Error("too many names are taken")
	}
}
