package mongoqueue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	defaultPage = 50
	maxPage     = 200
	// maxLooked and maxBytes bound what one page reads. A page that found less by
	// then still has a cursor to go on from.
	maxLooked = 10_000
	maxBytes  = 16 << 20
)

// List implements queue.Inspector. Each state has a walk of its own, in an order
// that an index gives (walk.go); a list of several states is one walk after the
// other. States are computed: a walk passes everything that may have its state,
// and the rule itself is applied here.
func (s *Store) List(ctx context.Context, filter queue.Filter) (queue.Page, error) {
	from, err := readPosition(filter.Cursor)
	if err != nil {
		return queue.Page{}, err
	}
	if len(filter.Names) > queue.MostNames {
		return queue.Page{}, fmt.Errorf("list jobs of %d names: %d are the most", len(filter.Names), queue.MostNames)
	}
	limit := filter.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	l := &list{store: s, filter: filter, now: s.Now(), limit: min(limit, maxPage), page: queue.Page{Jobs: []*job.Document{}}}
	order := statesOf(filter)
	if from != nil {
		at := slices.Index(order, from.state)
		if at < 0 {
			return queue.Page{}, queue.ErrCursor
		}
		order = order[at:]
	}
	for _, state := range order {
		l.state = state
		if err := l.walk(ctx, from); err != nil {
			return queue.Page{}, fmt.Errorf("list jobs: %w", err)
		}
		if l.done {
			break
		}
		from = nil
	}
	return l.page, nil
}

// statesOf lists the walks of a filter: those of its states, in the order of
// precedence, or the one over all jobs.
func statesOf(filter queue.Filter) []job.State {
	switch {
	case filter.Dead:
		return []job.State{job.Failed}
	case len(filter.States) == 0:
		return []job.State{""}
	default:
		return slices.DeleteFunc(job.States(), func(s job.State) bool { return !slices.Contains(filter.States, s) })
	}
}

// list is one call of List.
type list struct {
	store  *Store
	filter queue.Filter
	now    time.Time
	limit  int

	state         job.State // whose walk it is; "" = the one over all jobs
	page          queue.Page
	last          position // of the newest job on the page
	done          bool     // the page is full, or has read enough
	looked, bytes int
}

// room is how many jobs the page can still take, and one more: whether another
// page follows is known by the one that does not fit.
func (l *list) room() int { return l.limit - len(l.page.Jobs) + 1 }

// see takes the document at which a walk has come, which stands there with a
// date. It sets done where the walk is to end.
func (l *list) see(raw bson.Raw, at bson.DateTime) {
	l.looked++
	l.bytes += len(raw)
	here := position{state: l.state, at: at, id: l.walkEdge()}
	if id, ok := raw.Lookup("_id").ObjectIDOK(); ok {
		here.id = id
	}
	document := &job.Document{}
	// What cannot be decoded has no name, and is nobody's job; one without an
	// ObjectId is found by no other call.
	if document.UnmarshalBSON(raw) == nil && !document.ID.IsZero() && l.selects(document) {
		if len(l.page.Jobs) == l.limit {
			l.end(l.last)
			return
		}
		l.page.Jobs, l.last = append(l.page.Jobs, document), here
	}
	if l.looked >= maxLooked || l.bytes >= maxBytes {
		l.end(here)
	}
}

func (l *list) end(next position) { l.done, l.page.Next = true, next.String() }

func (l *list) selects(d *job.Document) bool {
	state := d.State(l.now)
	switch {
	case l.filter.Dead && !d.Dead(),
		l.state != "" && state != l.state,
		len(l.filter.States) > 0 && !slices.Contains(l.filter.States, state):
		return false
	default:
		return len(l.filter.Names) == 0 || slices.Contains(l.filter.Names, d.Name)
	}
}
