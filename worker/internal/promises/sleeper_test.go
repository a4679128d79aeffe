package promises

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// A sleeper is a worker that is deaf: it leases jobs, and whatever becomes of
// its leases, it does not learn it. A real worker is told by its heartbeat and
// by its renewals, and then sends nothing; only one that is not told shows
// whether the database refuses it.

// answer is what the queue said to one thing that a sleeper tried.
type answer struct {
	Tried string `bson:"_id"`
	Lost  bool   `bson:"lost"` // refused, since the lease was lost
	Said  string `bson:"said"`
}

// answersOf is the collection in which sleepers leave what they were told.
const answersOf = "answers"

func beSleeper(ctx context.Context, db *mongo.Database) error {
	store := mongoqueue.New(db, mongoqueue.Options{})
	registry := mongofleet.New(db, time.Now)
	now := time.Now()
	self := fleet.Instance{
		ID: fmt.Sprintf("%ssleeper:%d", queue.HolderPrefix, os.Getpid()), Kind: fleet.Worker, Host: "sleeper", PID: os.Getpid(),
		StartedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Second), InFlight: 2,
	}
	if err := registry.Register(ctx, self); err != nil {
		return err
	}
	batch, err := store.Lease(ctx, queue.LeaseRequest{Holder: self.ID, Total: 2, Names: map[string]queue.NameRequest{step.Name: {Free: 2}}})
	if err != nil || len(batch.Leases) != 2 {
		return fmt.Errorf("leased %d jobs, want 2: %w", len(batch.Leases), err)
	}
	fmt.Println("ready")
	orders := bufio.NewScanner(os.Stdin)
	if !orders.Scan() { // from here to there it is asleep
		return nil
	}
	for _, each := range tryAll(ctx, store, batch.Leases) {
		witness(ctx, db.Collection(answersOf), each)
	}
	orders.Scan()
	return nil
}

// tryAll tries everything that a holder may do with its leases.
func tryAll(ctx context.Context, store *mongoqueue.Store, leases []*queue.Lease) []answer {
	var answers []answer
	say := func(tried string, lost bool, err error) {
		answers = append(answers, answer{Tried: tried, Lost: lost, Said: fmt.Sprint(err)})
	}
	record := func(tried string, leases ...*queue.Lease) {
		endings := make([]queue.Ending, len(leases))
		for i, lease := range leases {
			result, err := job.ToData(bson.M{"of": "the sleeper"})
			if err != nil {
				say(tried, false, err)
				return
			}
			endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded, Result: result}
		}
		results, err := store.Record(ctx, endings)
		if err == nil {
			_, err = store.RecordRuns(ctx, endings)
		}
		for i, result := range results {
			say(fmt.Sprint(tried, " ", i), errors.Is(result, queue.ErrLeaseLost), errors.Join(result, err))
		}
	}
	report := queue.Ending{Lease: leases[0], Progress: &job.Progress{Percent: 99, At: time.Now()}}
	if err := store.Report(ctx, []queue.Ending{report}); err != nil {
		say("report", false, err)
	}
	record("record alone", leases[0])
	record("record together", leases...)
	lost, err := store.Renew(ctx, leases)
	say("renew", len(lost) == len(leases), err)
	return answers
}
