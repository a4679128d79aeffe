package mongoqueue_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/plantest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schema"
)

// Names of indexes, as plantest gives them.
const (
	agendas   = schema.AgendaIndex
	recurring = "recurring or recurringByNumber"
)

// TestEachLookHasItsIndex tells which index serves what operators look at. That
// one does at all is checked for every command of every suite, and on a MongoDB
// by its own word: see package mongotest.
func TestEachLookHasItsIndex(t *testing.T) {
	t.Parallel()
	var reads mongotest.Reads
	db := mongotest.Database(t, reads.Options())
	store := mongoqueue.New(db, mongoqueue.Options{})
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := store.Now()
	var requests []queue.Request
	for range 3 { // more than a page, all at one instant
		requests = append(requests, queue.Request{Name: "send mail", RunAt: now.Add(time.Hour)}, queue.Request{Name: "send mail", RunAt: now})
	}
	receipts, err := store.Enqueue(t.Context(), requests...)
	if err != nil {
		t.Fatal(err)
	}
	list := func(filter queue.Filter) func() error {
		filter.Limit = 1
		return func() error { _, err := store.List(t.Context(), filter); return err }
	}
	in := func(state job.State) queue.Filter { return queue.Filter{States: []job.State{state}} }
	named := func(filter queue.Filter) queue.Filter { filter.Names = []string{"send mail", "others"}; return filter }
	for name, look := range map[string]struct {
		do   func() error
		want []string
	}{
		"all":               {list(queue.Filter{}), []string{"_id_"}},
		"running":           {list(in(job.Running)), []string{"leases"}},
		"failed":            {list(in(job.Failed)), []string{"failures"}},
		"dead":              {list(queue.Filter{Dead: true}), []string{"failures"}},
		"repeating":         {list(in(job.Repeating)), []string{recurring}},
		"scheduled":         {list(in(job.Scheduled)), []string{"plans"}},
		"queued":            {list(in(job.Queued)), []string{"plans"}},
		"completed":         {list(in(job.Completed)), []string{"_id_"}},
		"all by name":       {list(named(queue.Filter{})), []string{agendas, "_id_"}},
		"running by name":   {list(named(in(job.Running))), []string{"leases"}},
		"failed by name":    {list(named(in(job.Failed))), []string{"failures"}},
		"repeating by name": {list(named(in(job.Repeating))), []string{recurring}},
		"scheduled by name": {list(named(in(job.Scheduled))), []string{agendas, "plans"}},
		"queued by name":    {list(named(in(job.Queued))), []string{agendas, "plans"}},
		"completed by name": {list(named(in(job.Completed))), []string{agendas}},
		"counts":            {func() error { _, err := store.Counts(t.Context()); return err }, []string{"", "plans", "plans", "leases", "failures", recurring}},
		"due":               {func() error { _, err := store.Due(t.Context(), []string{"send mail"}); return err }, []string{"", agendas, agendas}},
		"the runs of a job": {func() error { _, err := store.Runs(t.Context(), receipts[0].Job.ID, 5); return err }, []string{"historyOfJob"}},
	} {
		reads.Take()
		if err := look.do(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(look.want, indexesOf(t, reads.Take())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func indexesOf(t *testing.T, commands []bson.Raw) []string {
	t.Helper()
	var names []string
	for _, command := range commands {
		plans, err := plantest.Check(schema.Queue(""), command)
		if err != nil {
			t.Error(err)
		}
		for _, plan := range plans {
			names = append(names, plan.Index)
		}
	}
	return names
}

// TestConditionsOfPartialIndexes: a database keeps them for years, and one that
// changes is built anew.
func TestConditionsOfPartialIndexes(t *testing.T) {
	t.Parallel()
	filters := map[string]string{
		"leases":            `{"lockedAt": {"$gte": {"$date": {"$numberLong": "-8640000000000000"}}}}`,
		"plans":             `{"nextRunAt": {"$gte": {"$date": {"$numberLong": "-8640000000000000"}}}}`,
		"failures":          `{"failedAt": {"$gte": {"$date": {"$numberLong": "-8640000000000000"}}}}`,
		"recurring":         `{"repeatInterval": {"$gt": ""}}`,
		"recurringByNumber": `{"repeatInterval": {"$gte": {"$numberLong": "-9223372036854775808"}}}`,
		"oneSinglePerName":  `{"type": "single"}`,
		"openRuns":          `{"outcome": "running"}`,
	}
	for _, collection := range schema.Queue("") {
		for _, index := range collection.Indexes {
			if index.Partial == nil {
				continue
			}
			text, err := bson.MarshalExtJSON(index.Partial, false, false)
			if err != nil {
				t.Fatal(err)
			}
			var want bson.D
			if err := bson.UnmarshalExtJSON([]byte(filters[index.Name]), false, &want); err != nil {
				t.Fatalf("%s: %v", index.Name, err)
			}
			wanted, err := bson.MarshalExtJSON(want, false, false)
			if diff := cmp.Diff(string(wanted), string(text)); err != nil || diff != "" {
				t.Errorf("%s, as a database has it (-want +got): %v\n%s", index.Name, err, diff)
			}
		}
	}
	if schema.OpenRun != string(job.Open) {
		t.Errorf("the index of open runs is of %q, and they are %q", schema.OpenRun, job.Open)
	}
}
