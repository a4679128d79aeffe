package runner

import (
	"sync"
	"time"
)

// table holds every task of this process, from the lease to the record of the
// outcome, and decides which to run next (lane.go) and how many more to lease
// (room.go).
type table struct {
	now      func() time.Time // local clock
	slots    int
	maxHeld  int
	maxBytes int
	byName   map[string]*lane // fixed before the first task

	mu       sync.Mutex
	held     map[*task]struct{} // leased and not yet recorded
	running  int
	waiting  int
	fragile  int  // held tasks that may kill this worker, and have not ended
	alone    bool // one of them runs
	bytes    int  // of what is held
	draining bool
}

func newTable(o Options) *table {
	return &table{
		now: o.Clock.Now, slots: o.Slots, maxHeld: o.Held, maxBytes: o.Bytes,
		byName: map[string]*lane{}, held: map[*task]struct{}{},
	}
}

func (t *table) define(name string, limit int) { t.byName[name] = &lane{limit: min(limit, t.slots)} }

// hold takes in tasks whose leases this process has. They do not wait for a
// slot: queue does that.
func (t *table) hold(tasks []*task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, each := range tasks {
		t.held[each] = struct{}{}
		t.weigh(each, each.size)
	}
}

// weigh adds to the bytes that a held task takes. The caller holds the lock.
func (t *table) weigh(each *task, bytes int) {
	t.bytes += bytes
	t.lane(each).bytes += bytes
}

// grow counts what the outcome of a run weighs, until it is recorded.
func (t *table) grow(each *task, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	each.size += bytes
	t.weigh(each, bytes)
}

func (t *table) lane(each *task) *lane { return t.byName[each.lease.Job.Name] }

// queue makes held tasks wait for a slot.
func (t *table) queue(tasks []*task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, each := range tasks {
		each.queued = t.now()
		l := t.lane(each)
		l.waiting = append(l.waiting, each)
		t.waiting++
		if each.fragile() {
			t.fragile++
		}
	}
	for _, l := range t.byName {
		l.sort()
	}
}

// next takes the task to run now, if a slot is free.
func (t *table) next() *task {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running >= t.slots || t.draining {
		return nil
	}
	now := t.now()
	var best *lane
	var first int
	for _, l := range t.byName {
		i, ok := l.ready(t.alone)
		if ok && (best == nil || l.goesBefore(l.waiting[i], best, best.waiting[first], now)) {
			best, first = l, i
		}
	}
	if best == nil {
		return nil
	}
	chosen := best.take(first)
	t.running++
	t.waiting--
	t.alone = t.alone || chosen.fragile()
	return chosen
}

// ran frees the slot of a task whose handler returned. The task stays held
// until its outcome is recorded.
func (t *table) ran(done *task, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running--
	if done.fragile() {
		t.fragile--
		t.alone = false
	}
	t.lane(done).ran(took)
}

// settle forgets a task whose outcome is recorded, or cannot be. Its place
// within a limit over all workers is free now.
func (t *table) settle(done *task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.held[done]; !ok {
		return
	}
	delete(t.held, done)
	t.weigh(done, -done.size)
	l := t.lane(done)
	if l.blocked {
		l.blocked, l.owed = false, true
	}
	if done.lease.Slot.IsZero() {
		l.placed = false
	}
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
	t.waiting, t.fragile = 0, 0
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

// unrecorded tells how many runs have ended whose outcome is not stored yet.
func (t *table) unrecorded() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held) - t.running - t.waiting
}

// holds reports whether a task is still to be recorded.
func (t *table) holds(each *task) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.held[each]
	return ok
}
