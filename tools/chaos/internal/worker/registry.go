package worker

import (
	"context"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// registry is the product's fleet; what it answers is written down.
type registry struct {
	fleet.Registry
	log   *history.Log
	traps *traps
}

// Register implements fleet.Registry.
func (r *registry) Register(ctx context.Context, self fleet.Instance) error {
	return r.write(self, func() error { return r.Registry.Register(ctx, self) })
}

// Beat implements fleet.Registry.
func (r *registry) Beat(ctx context.Context, self fleet.Instance) (err error) {
	r.traps.call(ctx, "beat", func(ctx context.Context) {
		err = r.write(self, func() error { return r.Registry.Beat(ctx, self) })
	})
	return err
}

func (r *registry) write(self fleet.Instance, do func() error) error {
	line := history.Line{Event: history.Beat, Began: history.Now(), Holder: self.ID, For: self.ExpiresAt.Sub(self.SeenAt), Count: self.InFlight}
	err := do()
	if err != nil {
		line.Note = err.Error()
	}
	r.log.Write(line)
	return err
}
