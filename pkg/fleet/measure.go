package fleet

import "github.com/etrainer/backend/pkg/supervise"

// Parent is the process that started an instance and its siblings, and what it
// last said of them.
type Parent struct {
	PID      int     `bson:"pid" json:"pid"`
	Children []Child `bson:"children" json:"children"`
}

// Child is one place of a parent, and the process in it.
type Child struct {
	ID       int     `bson:"id" json:"id"`             // the number of the place, from 1
	PID      int     `bson:"pid" json:"pid"`           // 0 while there is no process
	State    string  `bson:"state" json:"state"`       // a supervise.State
	IsDead   bool    `bson:"isDead" json:"isDead"`     // there is no process
	Restarts int     `bson:"restarts" json:"restarts"` // ends that nobody asked for
	Uptime   float64 `bson:"uptime" json:"uptime"`     // seconds
	Memory   uint64  `bson:"memory" json:"memory"`     // resident bytes
	InFlight int     `bson:"inFlight" json:"inFlight"` // requests or jobs
}

// Measured returns the instance with the memory of this process, and what its
// parent says; parent nil = it has none.
func (i Instance) Measured(parent func() (supervise.Status, bool)) Instance {
	i.Memory, i.Parent = supervise.Resident(), nil
	if parent == nil {
		return i
	}
	said, ok := parent()
	if !ok {
		return i
	}
	i.Parent = &Parent{PID: said.MasterPID, Children: make([]Child, len(said.Workers))}
	for n, w := range said.Workers {
		i.Parent.Children[n] = Child{
			ID: w.ID, PID: w.PID, State: string(w.State), IsDead: w.IsDead, Restarts: w.Restarts,
			Uptime: w.Uptime, Memory: w.Memory, InFlight: w.InFlight,
		}
	}
	return i
}
