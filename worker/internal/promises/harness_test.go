package promises

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// patience is how long a test waits for what must come about. A crash alone
// takes up to fourteen seconds to be noticed.
const patience = 90 * time.Second

// stage is the database of one test, and the queue in it.
type stage struct {
	t     *testing.T
	db    *mongo.Database
	store *mongoqueue.Store
}

func newStage(t *testing.T) *stage {
	db := mongotest.Database(t)
	store := mongoqueue.New(db, mongoqueue.Options{})
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &stage{t: t, db: db, store: store}
}

// child is a process of ours.
type child struct {
	*exec.Cmd
	input io.Closer
	gone  chan struct{}
}

// spawn starts this binary again. The child ends with the test, however the
// test ends: its standard input closes.
func (s *stage) spawn(role string) *child {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childURI+"="+mongotest.URI(s.t), childDatabase+"="+s.db.Name())
	return s.start(cmd, "ready")
}

// uri is the address of the stage's database, as programs are configured with it.
func (s *stage) uri() string {
	s.t.Helper()
	base, query, _ := strings.Cut(mongotest.URI(s.t), "?")
	uri := strings.TrimSuffix(base, "/") + "/" + s.db.Name()
	if query != "" {
		uri += "?" + query
	}
	return uri
}

// start starts a command and waits until it prints a line with the word.
func (s *stage) start(cmd *exec.Cmd, word string) *child {
	s.t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	output, printed, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = printed, printed
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	_ = printed.Close()
	c := &child{Cmd: cmd, input: input, gone: make(chan struct{})}
	ready := make(chan struct{})
	var said []string // what a child that never got ready had to say
	go func() {
		defer close(c.gone)
		defer func() { _ = output.Close() }()
		scanner := bufio.NewScanner(output)
		for waiting := true; scanner.Scan(); {
			if waiting && strings.Contains(scanner.Text(), word) {
				waiting = false
				close(ready)
			}
			if waiting {
				said = append(said, scanner.Text())
			}
		}
		_ = cmd.Wait()
	}()
	s.t.Cleanup(c.kill)
	select {
	case <-ready:
	case <-c.gone:
		s.t.Fatalf("the child ended before it was ready: %s", said)
	case <-time.After(patience):
		s.t.Fatal("the child is not ready")
	}
	return c
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.Process.Kill()
	<-c.gone
}

// stop ends the child in good order.
func (c *child) stop() {
	_ = c.input.Close()
	<-c.gone
}

// terminate is SIGTERM, and waits for the end.
func (c *child) terminate() {
	c.signal(syscall.SIGTERM)
	<-c.gone
}

func (c *child) signal(s syscall.Signal) { _ = c.Process.Signal(s) }

func (s *stage) enqueue(n int, payload stepPayload) []bson.ObjectID {
	s.t.Helper()
	data, err := job.ToData(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	requests := make([]queue.Request, n)
	for i := range requests {
		requests[i] = queue.Request{Name: step.Name, Data: data}
	}
	receipts, err := s.store.Enqueue(s.t.Context(), requests...)
	if err != nil {
		s.t.Fatal(err)
	}
	ids := make([]bson.ObjectID, n)
	for i, receipt := range receipts {
		ids[i] = receipt.Job.ID
	}
	return ids
}

// eventually waits until a condition holds.
func (s *stage) eventually(what string, holds func() bool) {
	s.t.Helper()
	s.within(what, 250*time.Millisecond, holds)
}

// within is eventually, with the time between two looks.
func (s *stage) within(what string, look time.Duration, holds func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			s.t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// unfinished counts the jobs that have no outcome yet.
func (s *stage) unfinished() int64 {
	return s.count(mongoqueue.DefaultCollection, bson.D{{Key: "name", Value: step.Name}, {Key: "$or", Value: bson.A{
		bson.D{{Key: "lockedAt", Value: bson.D{{Key: "$ne", Value: nil}}}},
		bson.D{{Key: "nextRunAt", Value: bson.D{{Key: "$ne", Value: nil}}}},
		bson.D{{Key: "lastFinishedAt", Value: nil}},
	}}})
}

// count is for waiting: reading what is counted would keep the engine from
// its work.
func (s *stage) count(collection string, filter bson.D) int64 {
	s.t.Helper()
	n, err := s.db.Collection(collection).CountDocuments(s.t.Context(), filter)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// clear empties collections whose documents have been checked.
func (s *stage) clear(collections ...string) {
	s.t.Helper()
	for _, name := range collections {
		if _, err := s.db.Collection(name).DeleteMany(s.t.Context(), bson.D{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// runs reads the whole history, by job.
func (s *stage) runs() map[bson.ObjectID][]job.Run {
	s.t.Helper()
	return group(all[job.Run](s, mongoqueue.RunsCollection), func(r job.Run) bson.ObjectID { return r.JobID })
}

// effects reads what the handlers left behind, by job.
func (s *stage) effects() map[bson.ObjectID][]effect {
	s.t.Helper()
	return group(all[effect](s, "effects"), func(e effect) bson.ObjectID { return e.Job })
}

func all[T any](s *stage, collection string) []T {
	s.t.Helper()
	cursor, err := s.db.Collection(collection).Find(context.Background(), bson.D{})
	if err != nil {
		s.t.Fatal(err)
	}
	var rows []T
	if err := cursor.All(context.Background(), &rows); err != nil {
		s.t.Fatal(err)
	}
	return rows
}

func group[T any](rows []T, key func(T) bson.ObjectID) map[bson.ObjectID][]T {
	grouped := map[bson.ObjectID][]T{}
	for _, row := range rows {
		grouped[key(row)] = append(grouped[key(row)], row)
	}
	return grouped
}

// checkOnce checks that each job has exactly one recorded success, and that
// its handler really ended at least once. After a kill the record of a run may
// be missing, when the kill fell between the outcome on the job and its record
// in the history: then the job itself must say that it completed.
func (s *stage) checkOnce(ids []bson.ObjectID, killed bool) {
	s.t.Helper()
	runs, effects := s.runs(), s.effects()
	for _, id := range ids {
		succeeded := 0
		for _, run := range runs[id] {
			if run.Outcome == job.Succeeded {
				succeeded++
			}
		}
		d, err := s.store.Get(s.t.Context(), id)
		if err != nil || d.State(s.store.Now()) != job.Completed || d.FailCount != 0 {
			s.t.Errorf("job %s did not complete: %+v (%v)", id.Hex(), d, err)
		}
		if succeeded > 1 || succeeded == 0 && !killed {
			s.t.Errorf("job %s has %d recorded successes, want 1: %+v", id.Hex(), succeeded, runs[id])
		}
		if !slices.ContainsFunc(effects[id], func(e effect) bool { return e.Phase == ended }) {
			s.t.Errorf("job %s is recorded as done, but its handler never ended", id.Hex())
		}
	}
}
