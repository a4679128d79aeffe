package catalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// ShortestRepeat is the shortest distance between two ticks that operators can
// set.
const ShortestRepeat = 10 * time.Second

// Schedule is when a recurring job runs: what the definition says, changed by
// what an operator set. An error says, in a sentence for that operator, what is
// wrong with the latter; o nil = nothing was set.
func (d Definition) Schedule(o *job.ScheduleOverride, now time.Time) (schedule.Spec, error) {
	spec := d.Repeat
	if o == nil {
		return spec, nil
	}
	if o.Problem != "" {
		return d.Repeat, errors.New(o.Problem)
	}
	if o.Interval != "" {
		spec.Interval = o.Interval
	}
	if o.Timezone != "" {
		spec.Timezone = o.Timezone
	}
	parsed, err := schedule.Parse(spec, time.UTC)
	if err != nil {
		return d.Repeat, err
	}
	if len(parsed.NextN(now, 1)) == 0 {
		return d.Repeat, fmt.Errorf("interval %q never comes; use one that has a next run", spec.Interval)
	}
	if gap := parsed.ShortestGap(); gap < ShortestRepeat {
		return d.Repeat, fmt.Errorf("interval %q runs again after %s; use %s or more", spec.Interval, gap, ShortestRepeat)
	}
	return spec, nil
}
