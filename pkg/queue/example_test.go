package queue_test

import (
	"context"
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

// oneNote is a store that only takes jobs in, and forgets them.
type oneNote struct{ queue.Store }

func (oneNote) Now() time.Time { return start }

func (oneNote) Enqueue(_ context.Context, requests ...queue.Request) ([]queue.Receipt, error) {
	receipts := make([]queue.Receipt, len(requests))
	for i, r := range requests {
		receipts[i] = queue.Receipt{Created: true, Job: &job.Document{Name: r.Name, Data: r.Data, NextRunAt: r.RunAt}}
	}
	return receipts, nil
}

// An application makes one Client and enqueues with it.
func Example() {
	store := oneNote{} // in a program: mongoqueue.New(db, mongoqueue.Options{})
	client := queue.NewClient(store, catalog.New(greet.Definition), wake.Silent{}, queue.ClientOptions{})

	receipt, err := client.Enqueue(context.Background(), "greet", greeting{UserID: "65a7"},
		queue.When("tomorrow at noon", time.UTC), queue.Idempotent("order 17"))
	fmt.Println(receipt.Job.NextRunAt.Format(time.DateTime), err)

	_, err = client.Enqueue(context.Background(), "greet", nil)
	fmt.Println(err)
	_, err = client.Enqueue(context.Background(), "greeting", nil)
	fmt.Println(err)
	// Output:
	// 2024-01-18 12:00:00 <nil>
	// data of "greet": userId is missing; send the id of a user
	// name "greeting" is unknown: no worker can run it; use one of: greet
}
