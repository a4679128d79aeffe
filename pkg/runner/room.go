package runner

import "github.com/etrainer/backend/pkg/queue"

// room is what can be leased now.
type room struct {
	idle  int // slots that nothing which is held can fill
	most  int // jobs that can be held more, over all names
	bytes int // what their documents may weigh
	names map[string]space
	// fragile: of the jobs that may kill this worker it holds one at most, so
	// that none is charged for another's death.
	fragile queue.Fragile
}

// space is the part of one name.
type space struct {
	free  int // jobs that can be held, over all
	ahead int // the part of it that is leased before a slot is idle
}

// startable reports whether a job of this name would start at once.
func (r room) startable(name string) bool {
	space := r.names[name]
	return r.idle > 0 && space.free > space.ahead
}

// roomFor tells what can be leased; first says for the names alone that have
// less than their share of the slots.
func (t *table) roomFor(first bool) room {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.room(first)
}

func (t *table) room(first bool) room {
	r := room{names: map[string]space{}, most: t.maxHeld - len(t.held), bytes: max(t.maxBytes-t.bytes, t.maxBytes/4), fragile: queue.OneFragile}
	if t.fragile > 0 {
		r.fragile = queue.NoFragile
	}
	if t.draining || r.most <= 0 {
		return r
	}
	r.idle = t.idle()
	share, stock, turnover := t.share(), t.slots/max(1, t.active()), t.turnover()
	for name, l := range t.byName {
		if l.blocked || t.bytes >= t.maxBytes && l.bytes >= t.maxBytes/4 {
			continue
		}
		ahead := l.prefetch(stock)
		if ahead == 0 && l.taken() == 0 && turnover >= 1 {
			ahead = 1 // quick runs of other names take every slot: this one gets the next
		}
		s := space{free: l.limit - l.running - len(l.waiting) + ahead, ahead: ahead}
		if first {
			s.free = min(s.free, share-l.used())
		}
		s.ahead = min(s.ahead, s.free)
		if s.free > 0 && (r.idle > 0 || s.ahead > 0) {
			r.names[name] = s
		}
	}
	return r
}

// idle counts the slots that nothing which is held can fill. Tasks that wait
// behind the limit of their own name fill none.
func (t *table) idle() int {
	taken := 0
	for _, l := range t.byName {
		taken += l.taken()
	}
	return max(t.slots-taken, 0)
}

// active counts the names of which something is held.
func (t *table) active() int {
	n := 0
	for _, l := range t.byName {
		if l.used() > 0 {
			n++
		}
	}
	return n
}

// share is how many slots a name can claim before others: as many as each
// would have if one more name came.
func (t *table) share() int { return max(1, t.slots/(t.active()+1)) }

// turnover is how many slots come free within the window.
func (t *table) turnover() float64 {
	sum := 0.0
	for _, l := range t.byName {
		sum += l.turnover()
	}
	return sum
}

// contested reports whether a name that has its share would take idle slots
// that another may be waiting for.
func (t *table) contested() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle() == 0 {
		return false
	}
	share := t.share()
	for _, l := range t.byName {
		if l.owed && !l.blocked && l.taken() < l.limit && l.used() >= share {
			return true
		}
	}
	return false
}

// searched keeps what a lease told of a name: whether it may have more due
// jobs. A name that was not searched for, because it had no room, is owed.
func (t *table) searched(owed map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, left := range owed {
		l := t.byName[name]
		l.owed, l.ended = left, 0
	}
}

// owe marks a name as one that may have due jobs; "" = every name.
func (t *table) owe(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for each, l := range t.byName {
		if name == "" || name == each {
			l.owed = true
		}
	}
}

// owes reports whether any name may have due jobs that were seen, or not
// looked for.
func (t *table) owes() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.byName {
		if l.owed {
			return true
		}
	}
	return false
}

// block leaves a name out until one of its tasks is settled, or it is
// unblocked.
func (t *table) block(name string, blocked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byName[name].blocked = blocked
}

// placed reports, once, whether every run of a name that has ended gave its
// place back by itself: one that began before the limit was set has none.
func (t *table) placed(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.byName[name].placed
	t.byName[name].placed = true
	return was
}

func (t *table) isBlocked(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byName[name].blocked
}

// appetite is how much a look would bring.
type appetite int

const (
	sated    appetite = iota
	hungry            // a slot is idle that a name with due jobs may fill
	famished          // half of what could be held is not
)

// appetite weighs a look: names that may have due jobs count alone. Those
// that are leased ahead count when half of their stock has been used up.
func (t *table) appetite() appetite {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, most := t.room(false), sated
	for name, s := range r.names {
		switch l := t.byName[name]; {
		case !l.owed:
		case t.running == 0, s.ahead > 0 && s.free >= l.running+len(l.waiting), r.startable(name) && 2*r.idle >= t.slots:
			return famished
		case r.startable(name):
			most = hungry
		}
	}
	return most
}
