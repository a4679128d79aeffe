package mongoqueue

// Differs is differs, for the wire test.
var Differs = differs

// StillFinished is stillFinished, for the test of what changes in between.
var StillFinished = stillFinished

// GroupCommit is groupCommit, for the tests of its turns.
type GroupCommit = groupCommit

// NewGroupCommit is newGroupCommit.
var NewGroupCommit = newGroupCommit

// MaxInserts is maxInserts.
const MaxInserts = maxInserts

// Running is how many inserts are under way.
func (g *groupCommit) Running() int { g.mu.Lock(); defer g.mu.Unlock(); return g.running }
