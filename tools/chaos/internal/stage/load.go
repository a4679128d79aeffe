package stage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/chaos/internal/kinds"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
)

const (
	// clients is how many enqueue, and pace how often each does. The embedded
	// engine reads all jobs with nearly every command: more of them would make
	// it the slowest part of all.
	clients = 2
	pace    = 650 * time.Millisecond
	// operatorPace is how often somebody cancels or plans anew.
	operatorPace = 2 * time.Second
)

// load puts work on the stage until enough ends; what was asked for by then is
// repeated until it is acknowledged, or ctx ends.
func (s *Stage) load(ctx context.Context, enough <-chan struct{}) {
	var all sync.WaitGroup
	for c := range clients {
		dice := rand.New(rand.NewPCG(s.plan.Seed, uint64(c)))
		all.Go(func() {
			every(enough, pace, func(n int) {
				s.front.enqueue(ctx, drawn(dice, fmt.Sprintf("client-%d-%d", c, n)))
			})
		})
	}
	all.Go(func() { every(enough, operatorPace, func(n int) { s.planAnew(ctx, fmt.Sprintf("plan-%d", n)) }) })
	all.Go(func() { every(enough, operatorPace, func(n int) { s.cancelRunning(ctx, n) }) })
	all.Wait()
}

// every calls do in turn until enough is closed.
func every(enough <-chan struct{}, pace time.Duration, do func(n int)) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-enough:
			return
		case <-ticker.C:
			do(n)
		}
	}
}

// drawn is the work of an ordinary day.
func drawn(dice *rand.Rand, key string) order {
	upTo := func(ms int) int { return dice.IntN(ms) }
	p := kinds.Payload{Key: key}
	switch n := dice.IntN(100); {
	case n < 58:
		p.WaitMS = upTo(150)
		return order{name: kinds.Quick.Name, payload: p}
	case n < 70:
		p.WaitMS = 1000 + upTo(3000)
		return order{name: kinds.Slow.Name, payload: p}
	case n < 82:
		p.WaitMS = 300 + upTo(600)
		return order{name: kinds.Limited.Name, payload: p}
	case n < 85:
		p.WaitMS = 2000 + upTo(6000)
		return order{name: kinds.Deaf.Name, payload: p}
	case n < 90:
		p.Fails = []int{1, 2, kinds.Forever}[dice.IntN(3)]
		return order{name: kinds.Failing.Name, payload: p}
	default:
		p.WaitMS = upTo(150)
		return order{name: kinds.Shared.Name, payload: p}
	}
}

// planAnew plans a unique job, cancels it, and plans it again: the last plan
// counts.
func (s *Stage) planAnew(ctx context.Context, key string) {
	o := order{name: kinds.Plan.Name, payload: kinds.Payload{Key: key, WaitMS: 50}, unique: true, when: "in 1 hour"}
	id, asked := s.front.enqueue(ctx, o)
	if id == "" || asked > 1 || !s.front.cancel(ctx, id, o.name) {
		return // a request without an answer may still be on its way, and overtake the next
	}
	o.when = ""
	s.front.enqueue(ctx, o)
}

// cancelRunning cancels a slow job that runs, or a recurring one in the middle
// of a tick.
func (s *Stage) cancelRunning(ctx context.Context, n int) {
	name := []string{kinds.Slow.Name, kinds.Tick.Name}[n%2]
	look, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var found struct {
		ID bson.ObjectID `bson:"_id"`
	}
	running := bson.D{{Key: "name", Value: name}, {Key: "lockedAt", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}}}}
	if n%4 < 2 || s.db.Collection("agendaJobs").FindOne(look, running).Decode(&found) != nil {
		return // not each time, and not when none runs or the database is away
	}
	s.front.cancel(ctx, found.ID.Hex(), name)
}

// batch enqueues what a fault of handlers is about.
func (s *Stage) batch(ctx context.Context, kind plan.Kind, number int) {
	var orders []order
	add := func(name string, p kinds.Payload) {
		p.Key = fmt.Sprintf("fault-%d-%d", number, len(orders))
		orders = append(orders, order{name: name, payload: p})
	}
	switch kind {
	case plan.Exits:
		add(kinds.Exiting.Name, kinds.Payload{Exits: 1})
		add(kinds.Exiting.Name, kinds.Payload{Exits: kinds.Forever})
	case plan.OddResults:
		for _, result := range kinds.Results {
			add(kinds.Odd.Name, kinds.Payload{Result: result})
		}
	case plan.Deaf:
		for range 3 {
			add(kinds.Deaf.Name, kinds.Payload{WaitMS: 20_000})
		}
	}
	var all sync.WaitGroup
	for _, o := range orders {
		all.Go(func() { s.front.enqueue(ctx, o) })
	}
	all.Wait()
}
