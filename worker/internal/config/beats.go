package config

import (
	"errors"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/runner"
)

// Beats says how a worker shows that it lives. docs/queue.md tells what each
// figure costs.
type Beats struct {
	Interval time.Duration `env:"WORKER_BEAT_INTERVAL" envDefault:"2s" help:"time between the heartbeats of a worker that holds jobs, up to 30s" example:"5s"`
	Expiry   time.Duration `env:"WORKER_BEAT_EXPIRY" envDefault:"6s" help:"how long after a heartbeat others believe that this worker lives: twice the interval to 2m" example:"15s"`
	Confirm  time.Duration `env:"WORKER_BEAT_CONFIRM" envDefault:"6s" help:"how much longer a silent worker is watched before its jobs are released: the expiry less the interval and a second more, up to 2m" example:"15s"`
}

const (
	maxBeatInterval = 30 * time.Second
	// maxBeatSpan keeps a rescue well within the lock lifetime of ten minutes.
	maxBeatSpan = 2 * time.Minute
)

// Runner is what the runner reads.
func (b Beats) Runner() runner.Beats {
	return runner.Beats{Interval: b.Interval, Expiry: b.Expiry, Confirm: b.Confirm}
}

// Validate reports every mistake.
func (b Beats) Validate() error {
	return errors.Join(
		within("WORKER_BEAT_INTERVAL", b.Interval, runner.MinBeatInterval, maxBeatInterval),
		within("WORKER_BEAT_EXPIRY", b.Expiry, 2*b.Interval, maxBeatSpan),
		within("WORKER_BEAT_CONFIRM", b.Confirm, b.Expiry-b.Interval+runner.ConfirmBeyond, maxBeatSpan),
	)
}

func within(variable string, value, least, most time.Duration) error {
	if value <= most {
		return config.Lasts(variable, value, least)
	}
	return config.Problem{Variable: variable, Value: value.String(), Fault: "is too long", Mend: "set it to " + most.String() + " or less"}
}
