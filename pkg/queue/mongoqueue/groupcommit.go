package mongoqueue

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb"
)

const (
	// maxInserts is how many inserts of single jobs are under way at a time. Who
	// comes then waits for one to end, and goes together with all who wait.
	maxInserts = 2
	// groupTimeout bounds an insert for several: the deadline of one of them
	// must not be that of the others.
	groupTimeout = 10 * time.Second
)

// groupCommit inserts single documents of callers that come at the same time by
// one command: a busy api is bound by how many commands its database takes, and
// each waits for the journals of a majority. A document that comes alone is not
// delayed. It has no goroutine of its own: one of those who wait sends for all.
type groupCommit struct {
	insert func(ctx context.Context, documents []any) error

	mu      sync.Mutex
	running int    // inserts under way
	next    *group // those who wait; nil = nobody does
}

// group is what goes into the database together. It is guarded by
// groupCommit.mu until somebody leads it.
type group struct {
	members []*member
	lead    chan struct{} // holds one token when it is the group's turn
}

// member is one document and what became of it.
type member struct {
	document any
	done     chan struct{} // closed when err is there
	err      error
	alone    bool // the command failed in a way that may be another member's fault
}

func newGroupCommit(insert func(ctx context.Context, documents []any) error) *groupCommit {
	return &groupCommit{insert: insert}
}

// Insert stores one document. fresh means that nobody else can have its _id.
func (g *groupCommit) Insert(ctx context.Context, document any, fresh bool) error {
	me := &member{document: document, done: make(chan struct{})}
	waits := g.enter(me)
	if waits == nil {
		defer g.leave()
		return g.insert(ctx, []any{document})
	}
	select {
	case <-me.done:
	case <-waits.lead:
		g.commit(ctx, waits)
	case <-ctx.Done():
		if g.withdraw(waits, me) {
			return context.Cause(ctx)
		}
		select { // it is on its way, and may be stored
		case <-me.done:
		default:
			return context.Cause(ctx)
		}
	}
	if !me.alone {
		return me.err
	}
	err := g.insert(ctx, []any{document})
	if fresh && isOnlyDuplicate(err) {
		return nil // the command that failed has stored it all the same
	}
	return err
}

// enter returns the group to wait in; nil = the caller sends at once.
func (g *groupCommit) enter(me *member) *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < maxInserts {
		g.running++
		return nil
	}
	if g.next == nil {
		g.next = &group{lead: make(chan struct{}, 1)}
	}
	g.next.members = append(g.next.members, me)
	return g.next
}

// leave gives the turn to those who wait.
func (g *groupCommit) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass()
}

// pass is leave for who holds the lock.
func (g *groupCommit) pass() {
	if g.next == nil {
		g.running--
		return
	}
	g.next.lead <- struct{}{}
	g.next = nil
}

// withdraw takes a member out of a group, and reports whether it was still
// there. The last one passes on the turn that nobody will take.
func (g *groupCommit) withdraw(from *group, me *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(from.members, me)
	if i < 0 {
		return false
	}
	from.members = slices.Delete(from.members, i, i+1)
	switch {
	case len(from.members) > 0:
	case g.next == from:
		g.next = nil
	default: // its turn has come
		<-from.lead
		g.pass()
	}
	return true
}

// commit stores a group. Its documents do not depend on who sends them: the
// caller may go away meanwhile.
func (g *groupCommit) commit(ctx context.Context, of *group) {
	defer g.leave()
	g.mu.Lock()
	members := of.members
	of.members = nil
	g.mu.Unlock()
	documents := make([]any, len(members))
	for i, m := range members {
		documents[i] = m.document
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout)
	defer cancel()
	err := g.insert(ctx, documents)
	for i, m := range members {
		m.alone, m.err = resultOf(i, len(members), err)
		close(m.done)
	}
}

// resultOf is what an error of a command says about one of its documents. alone
// means that it says nothing, and the document is to be sent by itself.
func resultOf(i, of int, err error) (alone bool, failure error) {
	if err == nil {
		return false, nil
	}
	var partial mongo.BulkWriteException
	switch {
	case errors.As(err, &partial) && partial.WriteConcernError == nil:
		for _, failed := range partial.WriteErrors {
			if failed.Index == i {
				failed.Index = 0
				return false, mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{failed}, Labels: partial.Labels}
			}
		}
		return false, nil
	case of > 1 && !mongodb.IsUnavailable(err) && partial.WriteConcernError == nil:
		return true, nil
	default:
		return false, err
	}
}

// isOnlyDuplicate reports that a document is there already, and that a
// majority has it: a duplicate key that comes with a failed write concern says
// only the first.
func isOnlyDuplicate(err error) bool {
	if bulk, ok := errors.AsType[mongo.BulkWriteException](err); ok && bulk.WriteConcernError != nil {
		return false
	}
	if one, ok := errors.AsType[mongo.WriteException](err); ok && one.WriteConcernError != nil {
		return false
	}
	return mongo.IsDuplicateKeyError(err)
}
