package gate

import "sync"

// locks is a set of mutexes, one for each name in use.
type locks struct {
	mu   sync.Mutex
	held map[string]*countedLock
}

type countedLock struct {
	sync.Mutex
	users int // holders and waiters, guarded by locks.mu
}

func newLocks() *locks { return &locks{held: map[string]*countedLock{}} }

// lock waits for the lock of name and returns the function that frees it.
func (l *locks) lock(name string) (unlock func()) {
	l.mu.Lock()

	c := l.held[name]
	if c == nil {
		c = &countedLock{}
		l.held[name] = c
	}

	c.users++
	l.mu.Unlock()

	c.Lock()

	return func() {
		c.Unlock()

		l.mu.Lock()
		defer l.mu.Unlock()

		if c.users--; c.users == 0 {
			delete(l.held, name)
		}
	}
}
