package mongoqueue

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// start completes claimed leases: it finds out which of them continue an
// unfinished run, and plans the next tick of recurring jobs. It returns the
// leases whose run is to go on; those that a policy decided otherwise are
// settled here. After an error the whole batch is in doubt: Rescue hands it
// back.
func (s *Store) start(ctx context.Context, search search, leases []*queue.Lease) ([]*queue.Lease, error) {
	if err := s.resume(ctx, leases); err != nil {
		return nil, fmt.Errorf("look up earlier runs: %w", err)
	}
	var run, recurring []*queue.Lease
	var models []mongo.WriteModel
	for _, lease := range leases {
		if !lease.Job.Recurring() {
			run = append(run, lease)
			continue
		}
		switch decision := s.plan(search, lease); decision {
		case planSkip:
			models = append(models, fenced(lease, set(bson.D{
				{Key: "lockedAt", Value: nil}, {Key: "nextRunAt", Value: job.Date(lease.NextRunAt)},
			})))
			s.recordSkip(ctx, lease)
		case planSpawn:
			if err := s.spawn(ctx, lease); err != nil {
				return nil, err
			}
			models = append(models, fenced(lease, set(bson.D{
				{Key: "lockedAt", Value: nil},
				{Key: "nextRunAt", Value: job.Date(lease.NextRunAt)},
				{Key: "lastRunAt", Value: job.Date(lease.StartedAt)},
				{Key: "lastFinishedAt", Value: job.Date(lease.StartedAt)},
			})))
		default:
			models = append(models, fenced(lease, set(bson.D{
				{Key: "lastRunAt", Value: job.Date(lease.StartedAt)}, {Key: "nextRunAt", Value: job.Date(lease.NextRunAt)},
			})))
			recurring = append(recurring, lease)
		}
	}
	if len(models) == 0 {
		return run, nil
	}
	if _, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return nil, fmt.Errorf("start recurring jobs: %w", err)
	}
	return append(run, recurring...), nil
}

// fenced is an update of the job that a lease is about, if it is still held.
func fenced(lease *queue.Lease, update bson.D) *mongo.UpdateOneModel {
	return mongo.NewUpdateOneModel().SetFilter(fence(lease)).SetUpdate(update)
}

func fence(lease *queue.Lease) bson.D {
	return bson.D{
		{Key: "_id", Value: lease.Job.ID},
		{Key: "lockedAt", Value: job.Date(lease.Stamp)},
		{Key: "lastModifiedBy", Value: textOrNull(lease.Holder)},
	}
}

type planned int

const (
	planRun planned = iota
	planSkip
	planSpawn
)

// plan computes the next tick into lease.NextRunAt and applies the policies
// of the name to this one.
func (s *Store) plan(search search, lease *queue.Lease) planned {
	policy := search.request.Names[lease.Job.Name]
	late := lease.StartedAt.Sub(lease.Tick) > job.MissedGrace && lease.Attempt == 1
	base := lease.StartedAt
	if policy.Missed == job.MissedAll {
		base = lease.Tick
	}
	lease.NextRunAt = s.nextTick(lease.Job, base, lease.StartedAt)
	lease.SkipOverlap = policy.Missed != job.MissedAll
	switch {
	case late && policy.Missed == job.MissedSkip:
		return planSkip
	case policy.Overlap == job.OverlapAllow:
		return planSpawn
	default:
		return planRun
	}
}

// nextTick is the tick after a run that started at base. A schedule that
// cannot be read, as Node stores it without a word, has no next tick: the run
// that is due still takes place.
func (s *Store) nextTick(document *job.Document, base, now time.Time) time.Time {
	if document.RepeatInterval == "" {
		next, err := schedule.RepeatAt(document.RepeatAt, now, s.zone(document))
		if err != nil {
			s.unreadable(document, err)
		}
		return next
	}
	plan, err := schedule.Parse(scheduleOf(document), s.options.Zone)
	if err != nil {
		s.unreadable(document, err)
		return time.Time{}
	}
	next, _ := plan.NextRun(base, document.NextRunAt, now)
	return next
}

func (s *Store) unreadable(document *job.Document, err error) {
	s.options.Log.Warn("schedule of a recurring job cannot be read; it has no next tick",
		slog.String("job_name", document.Name), slog.String("job_id", document.ID.Hex()), slog.Any("error", err))
}

func (s *Store) zone(document *job.Document) *time.Location {
	if zone, err := time.LoadLocation(document.RepeatTimezone); err == nil && document.RepeatTimezone != "" {
		return zone
	}
	return s.options.Zone
}

func scheduleOf(d *job.Document) schedule.Spec {
	return schedule.Spec{
		Interval: d.RepeatInterval, Timezone: d.RepeatTimezone,
		Start: d.StartDate, End: d.EndDate, SkipDays: d.SkipDays,
	}
}

// resume finds the record of the run before for jobs that ran already. If
// its tick is still owed, this run continues it as the next attempt.
func (s *Store) resume(ctx context.Context, leases []*queue.Lease) error {
	byJob := map[bson.ObjectID]*queue.Lease{}
	var ids []bson.ObjectID
	var started []bson.DateTime
	for _, lease := range leases {
		if lease.Previous.IsZero() {
			continue
		}
		byJob[lease.Job.ID] = lease
		ids = append(ids, lease.Job.ID)
		started = append(started, bson.NewDateTimeFromTime(lease.Previous))
	}
	if len(ids) == 0 {
		return nil
	}
	cursor, err := s.runs.Find(ctx, bson.D{{Key: "jobId", Value: in(ids)}, {Key: "startedAt", Value: in(started)}},
		options.Find().SetProjection(bson.D{{Key: "logs", Value: 0}, {Key: "result", Value: 0}, {Key: "stack", Value: 0}}))
	if err != nil {
		return err
	}
	var runs []job.Run
	if err := cursor.All(ctx, &runs); err != nil {
		return err
	}
	for _, run := range runs {
		lease := byJob[run.JobID]
		if !run.StartedAt.Equal(lease.Previous) {
			continue
		}
		if !run.Outcome.Unfinished() {
			if run.Tick.Equal(lease.Tick) { // planned anew for the same instant
				lease.Attempt = run.Attempt + 1
			}
			continue
		}
		lease.Tick, lease.Attempt, lease.Failures = run.Tick.UTC(), run.Attempt+1, run.Failures
		switch run.Outcome {
		case job.Open, job.Lost, job.Retrying:
			lease.Failures++
		}
	}
	return nil
}

// spawn turns a tick of a recurring job whose runs may overlap into a one-off
// job of its own. Its id is made of the job and the tick, so that repeating
// this after a crash makes no second one.
func (s *Store) spawn(ctx context.Context, lease *queue.Lease) error {
	tick := &job.Document{
		ID:   derivedID("tick", lease.Job.ID.Hex()+lease.Tick.UTC().Format(time.RFC3339Nano)),
		Name: lease.Job.Name, Type: job.Normal, Data: lease.Job.Data, Priority: lease.Job.Priority,
		NextRunAt: lease.Tick, LastModifiedBy: lease.Holder,
	}
	_, err := s.jobs.InsertOne(ctx, tick.Fields())
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("create a tick of %q: %w", lease.Job.Name, err)
	}
	return nil
}

func (s *Store) recordSkip(ctx context.Context, lease *queue.Lease) {
	run := s.runOf(lease)
	run.Outcome, run.FinishedAt = job.Skipped, &lease.StartedAt
	if _, err := s.runs.InsertOne(ctx, run); err != nil && !mongo.IsDuplicateKeyError(err) {
		s.options.Log.WarnContext(ctx, "skipped tick not recorded", slog.String("job_name", lease.Job.Name), slog.Any("error", err))
	}
}

// runOf is the record of a lease's run as it starts.
func (s *Store) runOf(lease *queue.Lease) *job.Run {
	expires := lease.StartedAt.Add(s.options.RunRetention)
	return &job.Run{
		ID: lease.RunID, JobID: lease.Job.ID, Name: lease.Job.Name,
		Tick: lease.Tick, Attempt: lease.Attempt, Failures: lease.Failures,
		Worker: lease.Holder, StartedAt: lease.StartedAt, Outcome: job.Open, ExpiresAt: &expires,
		PickupMS: max(lease.StartedAt.Sub(lease.Tick).Milliseconds(), 0),
	}
}
