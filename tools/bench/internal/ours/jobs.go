package ours

import (
	"context"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

// Name is the name of every job that the benchmarks enqueue.
const Name = "bench no-op"

// Payload is what each job carries, so that none is cheaper than a real one.
type Payload struct {
	N int `json:"n"`
}

// Validate accepts every payload.
func (Payload) Validate() error { return nil }

// Kind is the definition of the job, for the client and the handlers.
var Kind = catalog.Define[Payload](catalog.Definition{Name: Name, Description: "does nothing"})

// OtherName is the name of jobs that meet a flood of Name.
const OtherName = "bench other"

// OtherKind is their definition.
var OtherKind = catalog.Define[Payload](catalog.Definition{Name: OtherName, Description: "does nothing, beside others"})

// Handler runs the jobs; started is called first in each run.
func Handler(started func(context.Context, runner.Job[Payload])) runner.Handler {
	return handler(Kind, started)
}

// OtherHandler is Handler for the jobs of OtherName.
func OtherHandler(started func(context.Context, runner.Job[Payload])) runner.Handler {
	return handler(OtherKind, started)
}

func handler(kind catalog.Job[Payload], started func(context.Context, runner.Job[Payload])) runner.Handler {
	return runner.Handle(kind, func(ctx context.Context, j runner.Job[Payload]) (any, error) {
		started(ctx, j)
		return nil, nil
	})
}

// Requests makes n jobs that are due now.
func Requests(n int) ([]queue.Request, error) {
	requests := make([]queue.Request, n)
	for i := range requests {
		data, err := job.ToData(Payload{N: i})
		if err != nil {
			return nil, err
		}
		requests[i] = queue.Request{Name: Name, Data: data}
	}
	return requests, nil
}
