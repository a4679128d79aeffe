package supervise_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/supervise"
)

// A program that can be one process, the parent of several, and one of those.
func Example() {
	log := slog.New(slog.DiscardHandler)
	serve := func(ctx context.Context, settings supervise.Env) (code int) {
		child, err := supervise.Inherit()
		if err != nil {
			return lifecycle.ExitBadConfig
		}
		if child == nil && settings.Clustering {
			path, err := supervise.Self()
			if err != nil {
				return lifecycle.ExitFailed
			}
			return supervise.Run(ctx, supervise.Options{Path: path, Count: settings.Count.Children(), Log: log})
		}
		ctx = child.Begin(ctx)
		defer func() { child.End(code) }()
		group := lifecycle.NewGroup(log)
		// group.Add("listener", …)
		group.Add("readiness", child.Readiness())
		return lifecycle.Run(ctx, log, group, lifecycle.RunOptions{})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(serve(ctx, supervise.Env{Clustering: false}))
	// Output: 0
}
