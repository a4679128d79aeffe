package runner

import (
	"cmp"
	"slices"
	"time"
)

// lane is the state of one name in this process. The table guards it.
type lane struct {
	limit   int // running at once in this process
	running int
	waiting []*task // by due time, then priority
	bytes   int     // of what is held
	pace    time.Duration
	paced   bool // pace is known: a run has ended
	ended   int  // runs that ended since this name was last searched for
	owed    bool // there may be due jobs that the last search left, or did not look for
	blocked bool // the limit over all workers has no place
	placed  bool // no run has ended without a place since the last comparison
}

const (
	// prefetchWindow is how long what is leased may wait for its slot: what
	// this process locks, no other can run.
	prefetchWindow = time.Second
	maxPrefetch    = 2000
	// paceWeight is the share of the newest run in the moving average.
	paceWeight = 0.2
)

// taken is how many slots this lane takes, at most: a name never runs beyond
// its limit, however many tasks of it wait.
func (l *lane) taken() int { return min(l.limit, l.running+len(l.waiting)) }

// used is taken as it was when the name was last searched for: runs that have
// ended since then count, or a name whose runs all end at once would have
// nothing and be first again.
func (l *lane) used() int { return min(l.limit, l.running+len(l.waiting)+l.ended) }

// prefetch is how many tasks of the lane will start within half the window
// after its slots are taken, with so many slots to run in.
func (l *lane) prefetch(slots int) int {
	if !l.paced {
		return 0
	}
	slots = min(l.limit, slots)
	return int(min(float64(slots)*float64(prefetchWindow)/float64(max(l.pace, time.Microsecond)), maxPrefetch)) / 2
}

// turnover is how many slots this lane will free within the window.
func (l *lane) turnover() float64 {
	if !l.paced {
		return 0
	}
	return float64(l.running) * float64(prefetchWindow) / float64(max(l.pace, time.Microsecond))
}

// sort keeps Agenda's order within a name.
func (l *lane) sort() {
	order := func(a, b *task) int {
		return cmp.Or(a.lease.Due.Compare(b.lease.Due), cmp.Compare(b.lease.Job.Priority, a.lease.Job.Priority))
	}
	if !slices.IsSortedFunc(l.waiting, order) {
		slices.SortStableFunc(l.waiting, order)
	}
}

// ready finds the first task that may run now. alone says that a task whose
// workers died runs already: another such one waits for its end, so that what
// kills a worker is told from its neighbours.
func (l *lane) ready(alone bool) (int, bool) {
	if l.running >= l.limit {
		return 0, false
	}
	for i, each := range l.waiting {
		if !alone || !each.fragile() {
			return i, true
		}
	}
	return 0, false
}

// goesBefore is the fairness between names: the lane with the fewest running
// gets a free slot; among equals a task that has waited here for longer than
// the window, then the higher priority, then the earlier due time.
func (l *lane) goesBefore(first *task, other *lane, otherFirst *task, now time.Time) bool {
	if l.running != other.running {
		return l.running < other.running
	}
	late, otherLate := now.Sub(first.queued) > prefetchWindow, now.Sub(otherFirst.queued) > prefetchWindow
	switch {
	case late && otherLate:
		return first.queued.Before(otherFirst.queued)
	case late != otherLate:
		return late
	case first.lease.Job.Priority != otherFirst.lease.Job.Priority:
		return first.lease.Job.Priority > otherFirst.lease.Job.Priority
	default:
		return first.lease.Due.Before(otherFirst.lease.Due)
	}
}

// take removes a waiting task, to run it.
func (l *lane) take(i int) *task {
	chosen := l.waiting[i]
	if i == 0 {
		l.waiting[0], l.waiting = nil, l.waiting[1:]
	} else {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	l.running++
	return chosen
}

// ran counts the end of a run.
func (l *lane) ran(took time.Duration) {
	l.running--
	l.ended = min(l.ended+1, l.limit)
	if !l.paced {
		l.pace, l.paced = took, true
		return
	}
	l.pace = time.Duration(paceWeight*float64(took) + (1-paceWeight)*float64(l.pace))
}
