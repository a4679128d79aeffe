package supervise

// State is where a child, or its place, is in its life.
type State string

// The states. A place without a process waits or rests.
const (
	Starting State = "starting" // the process runs and cannot work yet
	Ready    State = "ready"
	Draining State = "draining" // it finishes what it has, and takes nothing new
	Waiting  State = "waiting"  // no process: the pause before a restart
	Resting  State = "resting"  // no process: the crash-loop brake
)

// Status is what a parent knows of itself and its children, for people. A
// parent sends it to each child at every beat; see Child.Status.
type Status struct {
	MasterPID   int      `json:"master_pid"`
	WorkerCount int      `json:"worker_count"` // how many there should be
	Workers     []Worker `json:"workers"`      // by id
}

// Worker is one place of a parent, and the child in it.
type Worker struct {
	ID       int     `json:"id"`  // 1 to WorkerCount; a new child in the same place keeps it
	PID      int     `json:"pid"` // 0 while there is no process
	State    State   `json:"state"`
	IsDead   bool    `json:"isDead"`   // there is no process
	Restarts int     `json:"restarts"` // unwanted ends; a roll does not count
	Uptime   float64 `json:"uptime"`   // seconds
	Memory   uint64  `json:"memory"`   // resident bytes, at its last report
	InFlight int     `json:"inFlight"` // requests or jobs, at its last report
}

// orders are what a parent tells a child at every beat: one JSON object on a line.
type orders struct {
	Status
	// LogLevel is the level that was set since the start of the parent; "" = none was.
	LogLevel string `json:"logLevel,omitempty"`
}

// report is what a child tells its parent at every beat: one JSON object on a
// line.
type report struct {
	State    State  `json:"state"`
	Memory   uint64 `json:"memory"`
	InFlight int    `json:"inFlight"`
	// Private is host:port of the child's /readyz and /metrics; "" = none.
	Private string `json:"private,omitempty"`
	// BadConfig is in the last report of a child that ends with
	// lifecycle.ExitBadConfig.
	BadConfig bool `json:"badConfig,omitempty"`
}
