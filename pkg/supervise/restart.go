package supervise

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Times are the clocks of a parent; 0 = the default.
type Times struct {
	Beat        time.Duration // between reports of a child; 1s
	HangAfter   time.Duration // without a report, a child hangs; 10s
	ReadyWithin time.Duration // how long a roll waits for a new child; 1m
	FirstPause  time.Duration // before the first restart; 500ms
	LongPause   time.Duration // the longest; 30s
	SteadyAfter time.Duration // a child that lived so long begins with FirstPause again; 1m
	BrakeAfter  int           // unsteady ends in a row that put the brake on; 6
	BrakeRest   time.Duration // between attempts while it is on; 1m
}

func (t Times) withDefaults() Times {
	for _, each := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&t.Beat, time.Second},
		{&t.HangAfter, 10 * time.Second},
		{&t.ReadyWithin, time.Minute},
		{&t.FirstPause, 500 * time.Millisecond},
		{&t.LongPause, 30 * time.Second},
		{&t.SteadyAfter, time.Minute},
		{&t.BrakeRest, time.Minute},
	} {
		if *each.value <= 0 {
			*each.value = each.usual
		}
	}
	if t.BrakeAfter <= 0 {
		t.BrakeAfter = 6
	}
	return t
}

// restarts decides when a place gets its next process.
type restarts struct {
	times  Times
	pauses *backoff.ExponentialBackOff
	inARow int // unsteady ends
}

func newRestarts(times Times) *restarts {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = times.FirstPause, times.LongPause
	pauses.Multiplier, pauses.RandomizationFactor = 2, 0.2
	return &restarts{times: times, pauses: pauses}
}

// after returns how long to wait after a process that has lived for so long,
// and whether that is because of the brake.
func (r *restarts) after(lived time.Duration) (pause time.Duration, braked bool) {
	if lived >= r.times.SteadyAfter {
		r.forget()
	}
	r.inARow++
	if r.inARow >= r.times.BrakeAfter {
		return r.times.BrakeRest, true
	}
	return r.pauses.NextBackOff(), false
}

// forget begins anew: what was started since may be mended.
func (r *restarts) forget() {
	r.inARow = 0
	r.pauses.Reset()
}
