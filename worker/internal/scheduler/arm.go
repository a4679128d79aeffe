package scheduler

import (
	"context"
	"log/slog"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// arm puts the recurring jobs in order, by one command where they are. It
// reports whether every job could be looked at.
func (s *scheduler) arm(ctx context.Context) bool {
	unarmed, err := s.Store.Unarmed(ctx, s.wanted(ctx)...)
	if err != nil {
		s.warn(ctx, "recurring jobs not read; they are not armed", "", err)
		return false
	}
	if len(unarmed) == 0 {
		return true
	}
	// Somebody may have changed the settings, and the jobs by them, since they
	// were read: moving the jobs back would undo that.
	if !s.readSettings(ctx) {
		return false
	}
	newest, err := s.newest(ctx)
	if err != nil {
		s.warn(ctx, "the fleet is not read; recurring jobs are not armed", "", err)
		return false
	}
	if unarmed, err = s.Store.Unarmed(ctx, s.wanted(ctx)...); err != nil {
		s.warn(ctx, "recurring jobs not read; they are not armed", "", err)
		return false
	}
	s.tellWhoseCount(ctx, newest || len(unarmed) == 0)
	all := true
	for _, recurring := range unarmed {
		all = s.armOne(ctx, recurring, newest) && all
	}
	return all && ctx.Err() == nil
}

// armOne arms a job. A worker that is not the newest leaves the schedule of an
// existing job to the one that is: two releases with different ideas would move
// it to and fro.
func (s *scheduler) armOne(ctx context.Context, recurring queue.Recurring, newest bool) bool {
	if !newest {
		recurring.KeepSchedule, recurring.Priority = true, nil
	}
	armed, err := s.Store.Arm(ctx, recurring)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		s.warn(ctx, "recurring job not armed", recurring.Name, err)
		return false
	}
	if armed != queue.ArmedUnchanged {
		s.Log.InfoContext(ctx, "recurring job armed", slog.String("job_name", recurring.Name), slog.String("schedule", recurring.Repeat.Interval),
			slog.String("timezone", recurring.Repeat.Timezone), slog.String("change", string(armed)))
	}
	return true
}

// tellWhoseCount logs once that this worker's schedules do not count.
func (s *scheduler) tellWhoseCount(ctx context.Context, ours bool) {
	if !ours && !s.outdated {
		s.Log.InfoContext(ctx, "another worker, which started later, has other schedules for the recurring jobs; its ones count")
	}
	s.outdated = !ours
}

// newest reports whether no live worker started after this one.
func (s *scheduler) newest(ctx context.Context) (bool, error) {
	if s.Fleet == nil {
		return true, nil
	}
	instances, err := s.Fleet.Instances(ctx)
	if err != nil {
		return false, err
	}
	now, self := s.Store.Now(), s.Self()
	var last fleet.Instance
	for _, i := range instances {
		if i.Kind != fleet.Worker || i.Draining || !i.ExpiresAt.After(now) {
			continue
		}
		if later := i.StartedAt.Compare(last.StartedAt); last.ID == "" || later > 0 || later == 0 && i.ID > last.ID {
			last = i
		}
	}
	return last.ID == "" || last.ID == self, nil
}

// wanted is what the recurring jobs are to be, by the settings that were read
// last.
func (s *scheduler) wanted(ctx context.Context) []queue.Recurring {
	var wanted []queue.Recurring
	for _, d := range s.Jobs.Recurring() {
		wanted = append(wanted, s.recurring(ctx, d, s.settings[d.Name].Schedule))
	}
	return wanted
}

// recurring is what a job is to be. An override that cannot be used, which
// somebody set by hand, is reported once, and the schedule stays as it is.
func (s *scheduler) recurring(ctx context.Context, d catalog.Definition, o *job.ScheduleOverride) queue.Recurring {
	r := queue.Recurring{Name: d.Name}
	if d.Priority != job.PriorityNormal { // else the definition says nothing of it
		r.Priority = &d.Priority
	}
	spec, err := d.Schedule(o, s.Store.Now())
	r.Repeat = spec
	if o != nil {
		r.Enabled = o.Enabled
	}
	if err == nil {
		delete(s.reported, d.Name)
		return r
	}
	r.KeepSchedule = true
	if s.reported[d.Name] != err.Error() {
		s.reported[d.Name] = err.Error()
		s.warn(ctx, "the schedule in the settings cannot be used; the last good one stands", d.Name, err)
	}
	return r
}
