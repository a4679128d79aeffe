package stage

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
)

const (
	// calmWithin is how long all jobs may take after the last fault.
	calmWithin = time.Minute
	// settleLook is how often the stage counts what is not done.
	settleLook = 500 * time.Millisecond
	// soon is what still counts as work of now: retries are planned so, and not
	// what a process with a wrong clock enqueued.
	soon = 2 * time.Minute
	// probeWithin is how long fresh jobs may take after that.
	probeWithin = 20 * time.Second
	// answerWithin is how long after the last fault a client asks at most.
	answerWithin = 40 * time.Second
	// afterLast is how long the load goes on after the last fault.
	afterLast = 2 * time.Second
)

// Run lets a plan happen, and returns all that is known about it at the end.
func (s *Stage) Run(ctx context.Context) (check.Story, error) {
	defer s.close()
	if err := s.open(ctx); err != nil {
		return check.Story{}, fmt.Errorf("start the stage: %w", err)
	}
	enough, answered := make(chan struct{}), make(chan struct{})
	asking, giveUp := context.WithCancel(ctx)
	defer giveUp()
	go func() {
		defer close(answered)
		s.load(asking, enough)
	}()
	s.breakThings(ctx)
	wait(ctx, afterLast)
	close(enough)
	if node := s.actors[plan.Node]; node != nil {
		node.process.Say([]byte("enough"))
	}
	s.calm()
	patience := time.AfterFunc(answerWithin, giveUp)
	<-answered
	patience.Stop()
	if s.settle(ctx, calmWithin) {
		s.log.Write(history.Line{Event: history.Settled})
	}
	s.probe(ctx)
	s.stopAll()
	return s.story(ctx)
}

// calm makes sure that no fault is left.
func (s *Stage) calm() {
	for _, a := range s.actors {
		if a.process != nil && a.process.IsStopped() {
			a.process.Signal(syscall.SIGCONT)
		}
	}
	s.log.Write(history.Line{Event: history.Calm, For: calmWithin})
}

// settle waits until no one-off job of ours is due or locked, and no recurring
// one is locked since before: by a worker that died.
func (s *Stage) settle(ctx context.Context, within time.Duration) bool {
	now := time.Now()
	once := bson.E{Key: "name", Value: bson.D{{Key: "$in", Value: kinds.Once()}}}
	recurring := bson.E{Key: "name", Value: bson.D{{Key: "$in", Value: kinds.Recurring()}}}
	open := bson.D{
		{Key: "_id", Value: bson.D{{Key: "$nin", Value: s.poisonIDs()}}},
		{Key: "$or", Value: bson.A{
			bson.D{once, {Key: "lockedAt", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}}}},
			bson.D{once, {Key: "nextRunAt", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}, {Key: "$lt", Value: now.Add(soon)}}}},
			bson.D{recurring, {Key: "lockedAt", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}, {Key: "$lt", Value: now}}}},
		}},
	}
	return until(ctx, settleLook, within, func() bool {
		n, err := s.db.Collection("agendaJobs").CountDocuments(ctx, open)
		return err == nil && n == 0
	})
}

// probe shows that every name still works, and the limited one with all of its
// places.
func (s *Stage) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	for i, name := range kinds.Once() {
		n, p := 1, kinds.Payload{}
		if name == kinds.Limited.Name {
			n, p.WaitMS = 3*kinds.Limit, 2000
		}
		for j := range n {
			p.Key = fmt.Sprintf("probe-%d-%d", i, j)
			s.front.enqueue(ctx, order{name: name, payload: p, event: history.Probe})
		}
	}
	s.settle(ctx, probeWithin)
}

// stopAll ends the processes in good order, all at once.
func (s *Stage) stopAll() {
	var all sync.WaitGroup
	for _, a := range s.actors {
		all.Go(func() {
			if err := a.stop(); err != nil && a.name != plan.Node && a.name != plan.OlderWorker {
				s.log.Write(history.Line{Event: history.Exit, Process: a.process.Life(), Note: history.Unexpected + err.Error()})
			}
		})
	}
	all.Wait()
}
