package mongoqueue

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// start completes claimed leases: it plans the next tick of recurring jobs. It
// returns the leases whose run is to go on; those that a policy decided
// otherwise are settled here. After an error the whole batch is in doubt:
// Rescue hands it back.
func (s *Store) start(ctx context.Context, search *search, leases []*queue.Lease) ([]*queue.Lease, error) {
	s.loseBrokenOff(ctx, search.brokeOff)
	run := make([]*queue.Lease, 0, len(leases))
	var started, skipped []*queue.Lease
	var models []mongo.WriteModel
	for _, lease := range leases {
		if !startsApart(search, lease) {
			run = append(run, lease)
			continue
		}
		decision := planRun
		if lease.Job.Recurring() && !lease.Cancelled {
			decision = s.plan(search, lease)
		}
		switch decision {
		case planSkip:
			skipped = append(skipped, lease)
		case planSpawn:
			if err := s.spawn(ctx, lease); err != nil {
				return nil, err
			}
		default:
			started = append(started, lease)
		}
		models = append(models, fenced(lease, startUpdate(search, lease, decision)))
	}
	if len(models) == 0 {
		return run, nil
	}
	result, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	refused, err := s.refusedStarts(ctx, search, leases, err)
	if err != nil {
		return nil, fmt.Errorf("start recurring jobs: %w", err)
	}
	started = slices.DeleteFunc(started, func(lease *queue.Lease) bool { return slices.Contains(refused, lease) })
	if result == nil || int(result.MatchedCount) < len(models) {
		if started, err = s.stillStarted(ctx, started); err != nil {
			return nil, fmt.Errorf("look which runs have started: %w", err)
		}
	}
	for _, lease := range skipped {
		s.recordSkip(ctx, lease)
	}
	return append(run, started...), nil
}

// startsApart reports that the claim alone does not make a lease a run: a
// recurring job needs its next tick, a lease of an expired lock has to tell
// which run it repeats, and a job that changed since the search is put right.
func startsApart(search *search, lease *queue.Lease) bool {
	return search.request.Expired || lease.Job.Recurring() || !lease.Job.NextRunAt.IsZero()
}

// startUpdate is what the start of a run, or the policy that decided against
// it, writes to the job.
func startUpdate(search *search, lease *queue.Lease, decision planned) bson.D {
	next := bson.E{Key: "nextRunAt", Value: job.Date(lease.NextRunAt)}
	over := bson.E{Key: "$unset", Value: bson.D{{Key: "leaseHolder", Value: ""}, {Key: "leaseDue", Value: ""}, {Key: "resume", Value: ""}}}
	switch decision {
	case planSkip:
		return append(set(bson.D{{Key: "lockedAt", Value: nil}, next}), over)
	case planSpawn:
		return append(set(bson.D{
			{Key: "lockedAt", Value: nil},
			next,
			{Key: "lastRunAt", Value: job.Date(lease.StartedAt)},
			{Key: "lastFinishedAt", Value: job.Date(lease.StartedAt)},
		}), over)
	}
	fields := bson.D{{Key: "leaseDue", Value: job.Date(lease.Due)}}
	if lease.Job.Recurring() && !lease.Cancelled {
		fields = append(fields, next)
	} else if !search.request.Expired { // it was recurring when it was found
		fields = append(fields, bson.E{Key: "nextRunAt", Value: nil})
	}
	if !lease.Ahead {
		fields = append(fields, bson.E{Key: "lastRunAt", Value: job.Date(lease.StartedAt)})
	}
	if search.request.Expired && lease.Attempt > 1 {
		lease.Job.Resume = &job.Resume{At: lease.Due, Tick: lease.Tick, Attempt: lease.Attempt - 1, Failures: lease.Failures, Lost: lease.Lost}
		fields = append(fields, bson.E{Key: "resume", Value: lease.Job.Resume.Fields()})
	}
	if search.request.Expired && !lease.Cancelled { // a cancel of an earlier planning, which Node left
		return update(fields, bson.D{{Key: "cancelledAt", Value: ""}})
	}
	return set(fields)
}

// refusedStarts returns and reports the leases whose start the database refuses
// for themselves. They are no runs; their lock stands until it expires.
func (s *Store) refusedStarts(ctx context.Context, search *search, leases []*queue.Lease, err error) (refused []*queue.Lease, _ error) {
	failures := refusedStatements(err)
	if len(failures) == 0 {
		return nil, err
	}
	var planned []*queue.Lease // as start made its statements
	for _, lease := range leases {
		if startsApart(search, lease) {
			planned = append(planned, lease)
		}
	}
	for i, failure := range failures {
		s.refuseJob(ctx, planned[i].Job.ID, planned[i].Job.Name, "start this job", failure)
		refused = append(refused, planned[i])
	}
	return refused, nil
}

// stillStarted returns the leases whose start is in the database. A holder
// that was paused between its claim and its start may have lost some to a
// peer, which has run them meanwhile: those are no leases.
func (s *Store) stillStarted(ctx context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	if len(leases) == 0 {
		return nil, nil
	}
	missing, err := s.without(ctx, leases, leases[0].Stamp)
	if err != nil {
		return nil, err
	}
	lost, err := s.takeBackAll(ctx, missing)
	if err != nil {
		return nil, err
	}
	gone := make(map[*queue.Lease]bool, len(lost))
	for _, lease := range lost {
		gone[lease] = true
		s.options.Log.WarnContext(ctx, "lease lost before the run began",
			slog.String("job_name", lease.Job.Name), slog.String("job_id", lease.Job.ID.Hex()))
	}
	kept := leases[:0:0]
	for _, lease := range leases {
		if !gone[lease] {
			kept = append(kept, lease)
		}
	}
	return kept, nil
}

// fenced is an update of the job that a lease is about, if it is still held.
func fenced(lease *queue.Lease, update bson.D) *mongo.UpdateOneModel {
	return mongo.NewUpdateOneModel().SetFilter(fence(lease)).SetUpdate(update)
}

// fence matches the job as long as nobody else has had it: no other claim
// writes this holder, and this holder writes no lockedAt twice.
func fence(lease *queue.Lease) bson.D {
	return bson.D{
		{Key: "_id", Value: lease.Job.ID},
		{Key: "lockedAt", Value: job.Date(lease.Stamp)},
		{Key: "leaseHolder", Value: lease.Holder},
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
func (s *Store) plan(search *search, lease *queue.Lease) planned {
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
	if err != nil && !isOnlyDuplicate(err) {
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
