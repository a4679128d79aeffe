//go:build older

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/schedule"
)

// payload is kinds.Payload.
type payload struct {
	Key    string `json:"key,omitempty"`
	WaitMS int    `json:"waitMs,omitempty"`
	Fails  int    `json:"fails,omitempty"`
	Exits  int    `json:"exits,omitempty"`
	Result string `json:"result,omitempty"`
}

func (payload) Validate() error { return nil }

// definitions are those of package kinds.
func definitions() []catalog.Definition {
	patient := job.Retry{MaxAttempts: 12, Delay: 200 * time.Millisecond, MaxDelay: time.Second}
	short := job.Retry{MaxAttempts: 3, Delay: 200 * time.Millisecond, MaxDelay: time.Second}
	return []catalog.Definition{
		{Name: "quick", Concurrency: 10, Retry: patient},
		{Name: "slow", Retry: patient},
		{Name: "deaf", Retry: patient},
		{Name: "limited", Retry: patient},
		{Name: "plan", Retry: patient},
		{Name: "odd", Retry: short},
		{Name: "failing", Retry: short},
		{Name: "exiting", Concurrency: 1, Retry: short},
		{Name: "shared", Retry: patient, LockLifetime: 20 * time.Second},
		{Name: "tick", Retry: patient, Repeat: schedule.Spec{Interval: "*/2 * * * * *"}},
		{Name: "tock", Retry: patient, Repeat: schedule.Spec{Interval: "*/3 * * * * *"}, Missed: job.MissedAll},
		{Name: "lap", Retry: patient, Repeat: schedule.Spec{Interval: "*/4 * * * * *"}, Overlap: job.OverlapAllow},
	}
}

func handlers(h *history, holder func() string) []runner.Handler {
	var all []runner.Handler
	for _, d := range definitions() {
		all = append(all, runner.Handle(catalog.Define[payload](d), func(ctx context.Context, j runner.Job[payload]) (any, error) {
			return work(ctx, h, holder(), j)
		}))
	}
	return all
}

func work(ctx context.Context, h *history, holder string, j runner.Job[payload]) (any, error) {
	say := func(event, note string) {
		h.write(line{
			Event: event, Job: j.ID.Hex(), Name: j.Name, Tick: j.Tick.UnixMilli(), Attempt: j.Attempt,
			Key: j.Payload.Key, Holder: holder, Note: note,
		})
	}
	say("start", "")
	if j.Attempt <= j.Payload.Exits {
		say("end", "ends the process")
		os.Exit(3)
	}
	say("effect", "")
	err := wait(ctx, j, func(cause error) { say("told", cause.Error()) })
	if err == nil && j.Attempt <= j.Payload.Fails {
		err = errors.New("the payload asked for a failure")
	}
	if err != nil {
		say("end", err.Error())
		return nil, err
	}
	say("end", "")
	return resultOf(j.Payload.Result), nil
}

func wait(ctx context.Context, j runner.Job[payload], told func(error)) error {
	timer := time.NewTimer(time.Duration(j.Payload.WaitMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		told(context.Cause(ctx))
	}
	if j.Name != "deaf" {
		return context.Cause(ctx)
	}
	<-timer.C
	return nil
}

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
