package mongoqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// armTries is how often Arm looks again after another process was faster. Each
// time that is so the job changed, and nearly always to what is asked for.
const armTries = 5

// Arm implements queue.Producer: Agenda's every(), without its defects. It
// writes nothing when nothing changed.
func (s *Store) Arm(ctx context.Context, r queue.Recurring) (queue.Armed, error) {
	plan, err := schedule.Parse(r.Repeat, s.options.Zone)
	if err != nil {
		return "", err
	}
	for range armTries {
		armed, err := s.tryArm(ctx, r, plan)
		if err != nil || armed != "" {
			return armed, wrap(err, "arm "+r.Name)
		}
	}
	return "", fmt.Errorf("arm %s: %w: other processes changed it each time, or a document that only looks like it is in the way", r.Name, queue.ErrConflict)
}

// Unarmed implements queue.Producer.
func (s *Store) Unarmed(ctx context.Context, recurring ...queue.Recurring) ([]queue.Recurring, error) {
	existing, err := s.singles(ctx, anyData(recurring...), namesAsked(recurring)...)
	if err != nil {
		return nil, wrap(err, "look at the recurring jobs")
	}
	now := s.Now()
	return slices.DeleteFunc(slices.Clone(recurring), func(r queue.Recurring) bool {
		plan, err := schedule.Parse(r.Repeat, s.options.Zone)
		if err != nil || existing[r.Name] == nil {
			return false
		}
		_, armed := changeOf(existing[r.Name].Document, r, plan, now)
		return armed == queue.ArmedUnchanged
	}), nil
}

func namesAsked(recurring []queue.Recurring) []string {
	names := make([]string, len(recurring))
	for i, r := range recurring {
		names[i] = r.Name
	}
	return names
}

// anyData reports whether the payload is asked for.
func anyData(recurring ...queue.Recurring) bool {
	return slices.ContainsFunc(recurring, func(r queue.Recurring) bool { return r.Data.Type != 0 })
}

// tryArm answers "" when another process was faster.
func (s *Store) tryArm(ctx context.Context, r queue.Recurring, plan *schedule.Schedule) (queue.Armed, error) {
	existing, err := s.singles(ctx, anyData(r), r.Name)
	if err != nil {
		return "", err
	}
	found := existing[r.Name]
	if found == nil {
		return s.insertRecurring(ctx, r, plan)
	}
	change, armed := changeOf(found.Document, r, plan, s.Now())
	if armed == queue.ArmedUnchanged {
		return armed, nil
	}
	result, err := s.jobs.UpdateOne(ctx, found.unchanged(change), set(change))
	if err != nil || result.MatchedCount == 0 {
		return "", err
	}
	if armed == queue.ArmedMoved {
		s.options.Log.InfoContext(ctx, "the schedule of a recurring job is replaced", slog.String("job_name", r.Name), slog.String("job_id", found.ID.Hex()),
			slog.String("old_schedule", found.RepeatInterval), slog.String("old_timezone", found.RepeatTimezone), slog.Time("old_next_run", found.NextRunAt))
	}
	return armed, nil
}

// unchanged is the filter of a recurring job that is as it was read, in all that
// decided a change and in all that the change replaces. So of several processes
// with different ideas each sees what it replaces, and none does half of it.
func (s *single) unchanged(change bson.D) bson.D {
	fields := []string{
		"_id", "name", "type", "nextRunAt", "lockedAt", "disabled",
		"repeatInterval", "repeatAt", "repeatTimezone", "startDate", "endDate", "skipDays",
	}
	for _, e := range change {
		if !slices.Contains(fields, e.Key) {
			fields = append(fields, e.Key)
		}
	}
	filter := make(bson.D, len(fields))
	for i, field := range fields {
		filter[i] = bson.E{Key: field, Value: equals(s.raw.Lookup(field))}
	}
	return filter
}

// equals is the condition that a field holds just this value, whatever that
// would mean as a condition itself; null and absent are one.
func equals(v bson.RawValue) any {
	switch v.Type {
	case 0, bson.TypeNull:
		return nil
	case bson.TypeUndefined: // no server compares with it
		return bson.D{{Key: "$type", Value: int32(bson.TypeUndefined)}}
	default:
		return bson.D{{Key: "$eq", Value: v}}
	}
}

func (s *Store) insertRecurring(ctx context.Context, r queue.Recurring, plan *schedule.Schedule) (queue.Armed, error) {
	next, _ := plan.NextRun(time.Time{}, time.Time{}, s.Now())
	document := &job.Document{
		ID: derivedID("single", r.Name), Name: r.Name, Type: job.Single,
		Data: r.Data, Priority: job.PriorityNormal, NextRunAt: next, LastModifiedBy: s.options.Name,
		RepeatInterval: r.Repeat.Interval, RepeatTimezone: r.Repeat.Timezone,
		StartDate: r.Repeat.Start, EndDate: r.Repeat.End, SkipDays: r.Repeat.SkipDays,
		Disabled: r.Enabled != nil && !*r.Enabled,
	}
	if r.Priority != nil {
		document.Priority = *r.Priority
	}
	_, err := s.jobs.InsertOne(ctx, document.Fields())
	if mongo.IsDuplicateKeyError(err) {
		return "", s.adopt(ctx, document)
	}
	return queue.ArmedCreated, err
}

// adopt looks at what has the id of a recurring job that is not there: mostly
// that job, by a faster process. One that lost its type becomes single again.
func (s *Store) adopt(ctx context.Context, wanted *job.Document) error {
	raw, err := s.jobs.FindOne(ctx, bson.D{{Key: "_id", Value: wanted.ID}},
		options.FindOne().SetProjection(bson.D{{Key: "name", Value: 1}, {Key: "type", Value: 1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil // the name has a recurring job under another id
	}
	if err != nil {
		return err
	}
	if name, _ := raw.Lookup("name").StringValueOK(); name != wanted.Name {
		return fmt.Errorf("%w: the document %s belongs to the recurring job %q by its id, and its name is %s; give it that name back, or delete it",
			queue.ErrConflict, wanted.ID.Hex(), wanted.Name, raw.Lookup("name"))
	}
	_, err = s.jobs.UpdateOne(ctx, bson.D{
		{Key: "_id", Value: wanted.ID}, {Key: "name", Value: wanted.Name}, {Key: "type", Value: equals(raw.Lookup("type"))},
	}, set(bson.D{{Key: "type", Value: string(job.Single)}}))
	return err
}
