package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
)

// ExitCode is what a handler that ends its process ends it with.
const ExitCode = 3

var errAsAsked = errors.New("the payload asked for a failure")

// handler runs jobs of every kind and writes down what it does.
type handler struct {
	log    *history.Log
	traps  *traps
	holder func() string
}

func (h *handler) run(ctx context.Context, j runner.Job[kinds.Payload]) (any, error) {
	line := func(event history.Event, note string) {
		h.log.Write(history.Line{
			Event: event, Job: j.ID.Hex(), Name: j.Name, Tick: j.Tick.UnixMilli(), Attempt: j.Attempt,
			Key: j.Payload.Key, Holder: h.holder(), Note: note,
		})
	}
	line(history.Start, "")
	h.traps.reach(Step{At: "start", After: true})
	if j.Attempt <= j.Payload.Exits {
		line(history.End, "ends the process")
		os.Exit(ExitCode)
	}
	h.traps.reach(Step{At: "effect"})
	line(history.Effect, "")
	h.traps.reach(Step{At: "effect", After: true})
	err := h.wait(ctx, j, func(cause error) { line(history.Told, cause.Error()) })
	if err == nil && j.Attempt <= j.Payload.Fails {
		err = errAsAsked
	}
	if err != nil {
		line(history.End, err.Error())
		return nil, err
	}
	line(history.End, "")
	return resultOf(j.Payload.Result), nil
}

// wait is the work. A deaf handler notes that it was told, and goes on.
func (h *handler) wait(ctx context.Context, j runner.Job[kinds.Payload], told func(cause error)) error {
	timer := time.NewTimer(time.Duration(j.Payload.WaitMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		told(context.Cause(ctx))
	}
	if j.Name != kinds.Deaf.Name {
		return context.Cause(ctx)
	}
	<-timer.C
	return nil
}

// resultOf makes the results that are hard to store.
func resultOf(kind string) any {
	switch kind {
	case "channel":
		return make(chan int)
	case "nan":
		return math.NaN()
	case "dots":
		return map[string]any{"a.b": 1, "": 2}
	case "dollars":
		return map[string]any{"$x": 1, "$id": 2}
	case "deep":
		var deep any
		for range 300 {
			deep = map[string]any{"deep": deep}
		}
		return deep
	case "15 MB":
		return strings.Repeat("x", 15<<20)
	default:
		return map[string]any{"by": fmt.Sprint(os.Getpid())}
	}
}
