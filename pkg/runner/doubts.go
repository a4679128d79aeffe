package runner

import (
	"context"
	"fmt"
	"slices"

	"github.com/etrainer/backend/pkg/queue"
)

// doubt remembers a name of this process under which jobs may be leased
// without its knowing. Nobody else would hand them back: peers rescue only
// what is listed in the fleet and dead.
func (f *fetcher) doubt(holder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.doubted, holder) {
		f.doubted = append(f.doubted, holder)
	}
}

// clearDoubts hands back what is leased under doubted names, but for what is
// known to be held under the present one.
func (f *fetcher) clearDoubts(ctx context.Context) error {
	for {
		holder, ok := f.nextDoubt()
		if !ok {
			return nil
		}
		if err := f.handBack(ctx, holder); err != nil {
			return fmt.Errorf("hand back what %s may hold: %w", holder, err)
		}
		f.mu.Lock()
		f.doubted = slices.DeleteFunc(f.doubted, func(each string) bool { return each == holder })
		f.mu.Unlock()
	}
}

func (f *fetcher) nextDoubt() (holder string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.doubted) == 0 {
		return "", false
	}
	return f.doubted[0], true
}

func (f *fetcher) handBack(ctx context.Context, holder string) error {
	request := queue.RescueRequest{Instance: holder, Own: true}
	for _, t := range f.table.tasks() {
		switch {
		case holder == f.presence.id():
			request.Keep = append(request.Keep, t.lease)
		case holder == t.lease.Holder:
			request.Lost = append(request.Lost, t.lease)
			f.keeper.lose(t)
		}
	}
	_, err := f.options.Store.Rescue(ctx, request)
	return err
}
