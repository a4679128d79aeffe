package runner

import (
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/queue"
)

// table holds every task of this process and decides how many more to lease
// and which to run next. A name may hold tasks beyond its free slots only as
// long as they will start within prefetchWindow at the pace that its runs
// have shown: what this process locks, no other can run.
type table struct {
	mu       sync.Mutex
	slots    int
	byName   map[string]*lane
	held     map[*task]struct{} // leased and not yet recorded
	running  int
	waiting  int
	draining bool
}

// lane is the state of one name.
type lane struct {
	limit   int
	running int
	waiting []*task // in the order of their lease: by due time, then priority
	pace    time.Duration
	ran     bool
}

const (
	prefetchWindow = time.Second
	maxPrefetch    = 2000
	// paceWeight is the share of the newest run in the moving average.
	paceWeight = 0.2
)

func newTable(slots int) *table {
	return &table{slots: slots, byName: map[string]*lane{}, held: map[*task]struct{}{}}
}

func (t *table) define(name string, limit int) { t.byName[name] = &lane{limit: min(limit, t.slots)} }

// free is how many more jobs of each name may be leased, and of all.
func (t *table) free() (byName map[string]int, total int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	byName = make(map[string]int, len(t.byName))
	if t.draining {
		return byName, 0
	}
	total = t.slots - t.running - t.waiting
	for name, l := range t.byName {
		n := l.limit - l.running + l.prefetch() - len(l.waiting)
		if l.prefetch() > 0 {
			total = max(total, n)
		}
		if n > 0 {
			byName[name] = n
		}
	}
	return byName, total
}

// prefetch is how many tasks of the lane will start within the window after
// its slots are taken.
func (l *lane) prefetch() int {
	if !l.ran {
		return 0
	}
	return int(min(float64(l.limit)*float64(prefetchWindow)/float64(max(l.pace, time.Microsecond)), maxPrefetch)) / 2
}

// add takes in leased tasks.
func (t *table) add(tasks []*task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, each := range tasks {
		l := t.byName[each.lease.Job.Name]
		l.waiting = append(l.waiting, each)
		t.held[each] = struct{}{}
		t.waiting++
	}
}

// next takes the task to run now, if a slot is free: of the lanes with room,
// the one whose first task was due earliest.
func (t *table) next() *task {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running >= t.slots || t.draining {
		return nil
	}
	var best *lane
	for _, l := range t.byName {
		if len(l.waiting) == 0 || l.running >= l.limit {
			continue
		}
		if best == nil || before(l.waiting[0].lease, best.waiting[0].lease) {
			best = l
		}
	}
	if best == nil {
		return nil
	}
	first := best.waiting[0]
	best.waiting[0] = nil
	best.waiting = best.waiting[1:]
	best.running++
	t.running++
	t.waiting--
	return first
}

func before(a, b *queue.Lease) bool {
	if !a.Tick.Equal(b.Tick) {
		return a.Tick.Before(b.Tick)
	}
	return a.Job.Priority > b.Job.Priority
}

// ran frees the slot of a task whose handler returned. The task stays held
// until its outcome is recorded.
func (t *table) ran(done *task, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.byName[done.lease.Job.Name]
	l.running--
	t.running--
	if !l.ran {
		l.pace, l.ran = took, true
		return
	}
	l.pace = time.Duration(paceWeight*float64(took) + (1-paceWeight)*float64(l.pace))
}

// settle forgets a task whose outcome is recorded, or cannot be.
func (t *table) settle(done *task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.held, done)
}

// drain stops handing out tasks and returns those that never started.
func (t *table) drain() []*task {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = true
	var waiting []*task
	for _, l := range t.byName {
		waiting = append(waiting, l.waiting...)
		l.waiting = nil
	}
	t.waiting = 0
	return waiting
}

// tasks lists what is held.
func (t *table) tasks() []*task {
	t.mu.Lock()
	defer t.mu.Unlock()
	tasks := make([]*task, 0, len(t.held))
	for each := range t.held {
		tasks = append(tasks, each)
	}
	return tasks
}

// load tells how many tasks are held.
func (t *table) load() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held)
}

// hungry reports whether enough room has come free for a batch to be worth
// a look: at least half of what this process can hold.
func (t *table) hungry() bool {
	_, total := t.free()
	t.mu.Lock()
	defer t.mu.Unlock()
	return total > 0 && total >= t.running+t.waiting
}

// holds reports whether a task is still to be recorded.
func (t *table) holds(each *task) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.held[each]
	return ok
}
