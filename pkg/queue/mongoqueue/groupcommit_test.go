package mongoqueue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// journal is a database that takes a second for each command, and keeps a list of
// them.
type journal struct {
	mu       sync.Mutex
	commands [][]any
	fails    func(documents []any) error // nil = never
}

func (j *journal) insert(ctx context.Context, documents []any) error {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.commands = append(j.commands, slices.Clone(documents))
	if j.fails == nil {
		return nil
	}
	return j.fails(documents)
}

// stored lists all documents, and fails when one is there twice.
func (j *journal) stored(t *testing.T) []any {
	t.Helper()
	var all []any
	for _, command := range j.commands {
		for _, document := range command {
			if slices.Contains(all, document) {
				t.Errorf("%v was sent twice", document)
			}
			all = append(all, document)
		}
	}
	return all
}

// commit inserts documents 0 to n-1 in their order, each by a caller of its own,
// and returns what the callers got.
func commit(g *mongoqueue.GroupCommit, contexts ...context.Context) []error {
	results := make([]error, len(contexts))
	var all sync.WaitGroup
	for i, ctx := range contexts {
		all.Go(func() { results[i] = g.Insert(ctx, i, true) })
		synctest.Wait()
	}
	all.Wait()
	return results
}

func contexts(t *testing.T, n int) []context.Context {
	t.Helper()
	return slices.Repeat([]context.Context{t.Context()}, n)
}

// TestGroupCommit: the first ones go alone and at once, and all who come
// meanwhile together.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		g := mongoqueue.NewGroupCommit(j.insert)
		began := time.Now()
		if err := errors.Join(commit(g, contexts(t, 50)...)...); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second || len(j.commands) != mongoqueue.MaxInserts+1 || len(j.stored(t)) != 50 {
			t.Errorf("%d commands in %s stored %d documents", len(j.commands), took, len(j.stored(t)))
		}
		if g.Running() != 0 {
			t.Errorf("%d are under way in the end", g.Running())
		}
	})
}

// TestGroupCommitOfThoseWhoLeave: who leaves takes nothing from the others, not
// even the turn, and what it had not sent is not stored.
func TestGroupCommitOfThoseWhoLeave(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]struct {
		who  []int
		when time.Duration
		sent bool // all the same
	}{
		"some before their turn":   {who: []int{2, 4}, when: 500 * time.Millisecond},
		"all before their turn":    {who: []int{2, 3, 4, 5}, when: 500 * time.Millisecond},
		"some on their way":        {who: []int{2, 4}, when: 1500 * time.Millisecond, sent: true},
		"all on their way":         {who: []int{2, 3, 4, 5}, when: 1500 * time.Millisecond, sent: true},
		"just when the turn comes": {who: []int{2, 3, 4, 5}, when: time.Second, sent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				g := mongoqueue.NewGroupCommit(j.insert)
				all := contexts(t, 6)
				leaving, cancel := context.WithTimeout(t.Context(), leave.when)
				defer cancel()
				for _, i := range leave.who {
					all[i] = leaving //nolint:fatcontext // none is within another
				}
				results := commit(g, all...)
				stored := j.stored(t)
				for i, err := range results {
					left := slices.Contains(leave.who, i)
					switch {
					case !left && (err != nil || !slices.Contains(stored, any(i))):
						t.Errorf("%d stayed: %v, stored %v", i, err, stored)
					case left && !leave.sent && (!errors.Is(err, context.DeadlineExceeded) || slices.Contains(stored, any(i))):
						t.Errorf("%d left: %v, stored %v", i, err, stored)
					case left && err == nil && !slices.Contains(stored, any(i)):
						t.Errorf("%d was acknowledged and is not stored", i)
					}
				}
				time.Sleep(5 * time.Second) // of the bubble: what was on its way has arrived
				if g.Running() != 0 {
					t.Errorf("%d are under way in the end", g.Running())
				}
				if err := g.Insert(t.Context(), "later", true); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestGroupCommitSharesNoFault: a document that the database refuses is refused
// alone, and one that spoils the whole command does not spoil the others.
func TestGroupCommitSharesNoFault(t *testing.T) {
	t.Parallel()
	errSpoiled := errors.New("the document 3 is too large")
	partial := func(documents []any) error {
		if i := slices.Index(documents, any(3)); i >= 0 {
			return mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Index: i, Code: 121}}}}
		}
		return nil
	}
	whole := func(documents []any) error {
		if slices.Contains(documents, any(3)) {
			return errSpoiled
		}
		return nil
	}
	away := func(documents []any) error {
		if len(documents) > 1 {
			return mongo.CommandError{Code: 10107, Message: "not primary"}
		}
		return nil
	}
	there := func(documents []any) error {
		if len(documents) > 1 {
			return errSpoiled
		}
		return mongo.BulkWriteException{
			WriteErrors:       []mongo.BulkWriteError{{WriteError: mongo.WriteError{Code: 11000}}},
			WriteConcernError: &mongo.WriteConcernError{Code: 64},
		}
	}
	for name, test := range map[string]struct {
		fails func([]any) error
		want  func(i int, err error) bool
	}{
		"one is refused": {partial, func(i int, err error) bool {
			var refused mongo.BulkWriteException
			return i != 3 && err == nil || i == 3 && errors.As(err, &refused) && refused.HasErrorCode(121)
		}},
		"one spoils the command": {whole, func(i int, err error) bool {
			return i != 3 && err == nil || i == 3 && errors.Is(err, errSpoiled)
		}},
		"each is there, and no majority has it": {there, func(_ int, err error) bool { return err != nil }},
		"the database is away": {away, func(i int, err error) bool {
			return i < mongoqueue.MaxInserts && err == nil || i >= mongoqueue.MaxInserts && mongodb.IsUnavailable(err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := mongoqueue.NewGroupCommit((&journal{fails: test.fails}).insert)
				for i, err := range commit(g, contexts(t, 6)...) {
					if !test.want(i, err) {
						t.Errorf("document %d: %v", i, err)
					}
				}
			})
		})
	}
}

// TestEnqueuesOfManyAtOnce stores jobs of many callers, among them ones that
// repeat a key, by fewer commands than jobs.
func TestEnqueuesOfManyAtOnce(t *testing.T) {
	t.Parallel()
	const callers = 200
	counter, err := mongodb.NewCommandCounter(nil)
	if err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
	store := mongoqueue.New(db, mongoqueue.Options{})
	data, err := job.ToData(map[string]any{"text": strings.Repeat("x", 100)})
	if err != nil {
		t.Fatal(err)
	}
	receipts, failures := make([]queue.Receipt, callers), make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		request := queue.Request{Name: fmt.Sprint("job ", i), Data: data}
		if i%10 == 0 {
			request.Name, request.IdempotencyKey = "repeated", "the same key"
		}
		all.Go(func() {
			var got []queue.Receipt
			if got, failures[i] = store.Enqueue(t.Context(), request); failures[i] == nil {
				receipts[i] = got[0]
			}
		})
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	created := 0
	for i, receipt := range receipts {
		if receipt.Created {
			created++
		}
		if stored, err := store.Get(t.Context(), receipt.Job.ID); err != nil || stored.Name != receipt.Job.Name {
			t.Errorf("job %d: %+v, %v", i, stored, err)
		}
	}
	want := callers - callers/10 + 1
	if n, err := db.Collection(mongoqueue.DefaultCollection).CountDocuments(t.Context(), bson.D{}); err != nil || n != int64(want) || created != want {
		t.Errorf("%d jobs are stored and %d were created, want %d; %v", n, created, want, err)
	}
	if n := counter.Counts()["insert"]; n >= callers/2 {
		t.Errorf("%d inserts for %d jobs", n, callers)
	}
}
