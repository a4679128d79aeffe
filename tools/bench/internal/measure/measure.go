// Package measure holds the measurements, one section in each file. A section
// makes databases of its own, bounds its own time, and returns rows; what
// could not be measured is a row that says why.
package measure

import (
	"context"
	"fmt"

	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/report"
	"github.com/etrainer/backend/tools/bench/internal/rivals"
)

// Bench is what the sections work with.
type Bench struct {
	Engine *engine.Engine
	Node   rivals.Node
	// Worker and API are the paths of the product's binaries; "" = not built.
	Worker, API string
	// Self is the path of this program, to be started as a child.
	Self string
	// Backlogs are how many jobs wait when the throughput is measured.
	Backlogs []int
	// Flood is how many jobs of one name wait when fairness is measured.
	Flood int
	// Say tells people what goes on.
	Say func(format string, values ...any)
}

// Section is one part of the benchmark.
type Section struct {
	Name string
	Run  func(*Bench, context.Context) ([]report.Row, error)
}

// Sections lists the parts in the order in which they run.
var Sections = []Section{
	{"throughput", (*Bench).Throughput},
	{"latency", (*Bench).Latency},
	{"fairness", (*Bench).Fairness},
	{"http", (*Bench).HTTP},
	{"cluster", (*Bench).Cluster},
	{"roll", (*Bench).Roll},
	{"idle", (*Bench).Idle},
	{"load", (*Bench).Load},
	{"crash", (*Bench).Crash},
}

// with runs a measurement on an empty database and drops it.
func (b *Bench) with(ctx context.Context, measure func(*engine.Database) error) (err error) {
	db, err := b.Engine.Fresh(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if dropped := db.Drop(context.WithoutCancel(ctx)); err == nil && dropped != nil {
			err = fmt.Errorf("clean up: %w", dropped)
		}
	}()
	return measure(db)
}
