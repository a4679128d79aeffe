package runner

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/etrainer/backend/pkg/queue"
)

// request asks for what there is room for, of the names that may run. It has
// no names when there is nothing to ask for.
func (f *fetcher) request(ctx context.Context, r room) queue.LeaseRequest {
	request := queue.LeaseRequest{
		Holder: f.presence.id(), Names: make(map[string]queue.NameRequest, len(r.names)),
		Total: min(r.idle, r.most, f.options.Batch), Bytes: r.bytes, Horizon: horizon, Fragile: r.fragile,
	}
	for name, space := range f.bounded(r) {
		settings := f.settings[name]
		if settings.Paused {
			f.table.searched(map[string]bool{name: false}) // the signal that resumes it makes it owed
			continue
		}
		if !f.places.ready(ctx, name, settings.Concurrency) {
			continue
		}
		d := f.handlers[name].definition
		request.Names[name] = queue.NameRequest{
			Free: space.free, Ahead: space.ahead, Lifetime: d.LockLifetime, Limit: settings.Concurrency,
			Missed: either(settings.Missed, d.Missed), Overlap: either(settings.Overlap, d.Overlap),
		}
	}
	return request
}

// bounded cuts what is leased ahead so that a batch keeps its bound: what
// starts at once comes first. Names that ask for little get it; the others
// share the rest.
func (f *fetcher) bounded(r room) map[string]space {
	now := 0
	for _, s := range r.names {
		now += s.free - s.ahead
	}
	left := max(min(r.most, f.options.Batch)-min(r.idle, now), 0)
	names := slices.SortedFunc(maps.Keys(r.names), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.names[a].ahead, r.names[b].ahead), cmp.Compare(a, b))
	})
	bounded := make(map[string]space, len(names))
	for i, name := range names {
		s := r.names[name]
		ahead := min(s.ahead, left/(len(names)-i))
		left -= ahead
		s.free -= s.ahead - ahead
		s.ahead = ahead
		if s.free > 0 {
			bounded[name] = s
		}
	}
	return bounded
}

func either[T ~string](set, otherwise T) T {
	if set != "" {
		return set
	}
	return otherwise
}

// earlier returns the first of two times of which zero ones do not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
