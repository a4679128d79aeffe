package ledger

import (
	"context"
	"sync"
	"time"
)

// Memory is a Ledger that ends with the process: for tests and examples. It
// is safe for concurrent use.
type Memory struct {
	now     func() time.Time
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	state            State
	holder           string
	claimed, expires time.Time
}

var _ Ledger = (*Memory)(nil)

// NewMemory returns an empty Memory. now nil = time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, entries: map[string]*entry{}}
}

// Claim implements Ledger.
func (m *Memory) Claim(_ context.Context, claim Claim) ([]State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	states := make([]State, len(claim.Keys))
	for i, key := range claim.Keys {
		e := m.entries[key]
		late := claim.Policy.takeOverAfter > 0 && e != nil && now.Sub(e.claimed) >= claim.Policy.takeOverAfter
		switch {
		case e == nil, e.state == Claimed && (e.holder == claim.Holder || late):
			m.entries[key] = &entry{state: Claimed, holder: claim.Holder, claimed: now, expires: now.Add(claim.Keep)}
			states[i] = Mine
		default:
			states[i] = e.state
		}
	}
	return states, nil
}

// Settle implements Ledger.
func (m *Memory) Settle(_ context.Context, holder string, settlements []Settlement) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range settlements {
		e := m.entries[s.Key]
		if e == nil || e.holder != holder || e.state != Claimed {
			continue
		}
		if s.State == Free {
			delete(m.entries, s.Key)
			continue
		}
		e.state = s.State
	}
	return nil
}

// Purge implements Ledger.
func (m *Memory) Purge(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var removed int64
	for key, e := range m.entries {
		if !e.expires.After(m.now()) {
			delete(m.entries, key)
			removed++
		}
	}
	return removed, nil
}
