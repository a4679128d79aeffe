package mongoqueue

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// Arm implements queue.Producer: Agenda's every(), without its defects. It
// writes nothing when nothing changed.
func (s *Store) Arm(ctx context.Context, r queue.Recurring) (queue.Armed, error) {
	plan, err := schedule.Parse(r.Repeat, s.options.Zone)
	if err != nil {
		return "", err
	}
	for range 3 { // a lost race is seen as a changed document the next time
		armed, err := s.tryArm(ctx, r, plan)
		if err != nil || armed != "" {
			return armed, wrap(err, "arm "+r.Name)
		}
	}
	return queue.ArmedUnchanged, nil // somebody else is arming it right now
}

// Unarmed implements queue.Producer.
func (s *Store) Unarmed(ctx context.Context, recurring ...queue.Recurring) ([]queue.Recurring, error) {
	names := make([]string, len(recurring))
	for i, r := range recurring {
		names[i] = r.Name
	}
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "name", Value: in(names)}, {Key: "type", Value: string(job.Single)}},
		options.Find().SetSort(keys("_id", 1)))
	if err != nil {
		return nil, wrap(err, "look at the recurring jobs")
	}
	documents, err := documentsOf(ctx, cursor)
	if err != nil {
		return nil, wrap(err, "look at the recurring jobs")
	}
	existing := make(map[string]*job.Document, len(documents))
	for _, d := range documents {
		if existing[d.Name] == nil { // of doubles Arm takes the first as well
			existing[d.Name] = d
		}
	}
	now := s.Now()
	return slices.DeleteFunc(slices.Clone(recurring), func(r queue.Recurring) bool {
		plan, err := schedule.Parse(r.Repeat, s.options.Zone)
		if err != nil || existing[r.Name] == nil {
			return false
		}
		_, armed := changeOf(existing[r.Name], r, plan, now)
		return armed == queue.ArmedUnchanged
	}), nil
}

func (s *Store) tryArm(ctx context.Context, r queue.Recurring, plan *schedule.Schedule) (queue.Armed, error) {
	existing := &job.Document{}
	err := s.jobs.FindOne(ctx,
		bson.D{{Key: "name", Value: r.Name}, {Key: "type", Value: string(job.Single)}},
		options.FindOne().SetSort(keys("_id", 1))).Decode(existing)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return s.insertRecurring(ctx, r, plan)
	}
	if err != nil {
		return "", err
	}
	now := s.Now()
	change, armed := changeOf(existing, r, plan, now)
	if armed == queue.ArmedUnchanged {
		return armed, nil
	}
	// The old schedule is part of the filter, so that of several processes
	// with different ideas each change is made once and none is lost in part.
	result, err := s.jobs.UpdateOne(ctx, bson.D{
		{Key: "_id", Value: existing.ID},
		{Key: "nextRunAt", Value: job.Date(existing.NextRunAt)},
		{Key: "lockedAt", Value: job.Date(existing.LockedAt)},
	}, set(change))
	if err != nil || result.MatchedCount == 0 {
		return "", err
	}
	return armed, nil
}

func (s *Store) insertRecurring(ctx context.Context, r queue.Recurring, plan *schedule.Schedule) (queue.Armed, error) {
	next, _ := plan.NextRun(time.Time{}, time.Time{}, s.Now())
	document := &job.Document{
		ID: derivedID("single", r.Name), Name: r.Name, Type: job.Single,
		Data: r.Data, Priority: r.Priority, NextRunAt: next, LastModifiedBy: s.options.Name,
		RepeatInterval: r.Repeat.Interval, RepeatTimezone: r.Repeat.Timezone,
		StartDate: r.Repeat.Start, EndDate: r.Repeat.End, SkipDays: r.Repeat.SkipDays,
		Disabled: r.Enabled != nil && !*r.Enabled,
	}
	_, err := s.jobs.InsertOne(ctx, document.Fields())
	if mongo.IsDuplicateKeyError(err) {
		return "", nil
	}
	return queue.ArmedCreated, err
}

// changeOf compares a stored recurring job with what is asked for.
func changeOf(d *job.Document, r queue.Recurring, plan *schedule.Schedule, now time.Time) (bson.D, queue.Armed) {
	var change bson.D
	armed := queue.ArmedUnchanged
	if !sameData(d.Data, r.Data) || d.Priority != r.Priority {
		armed = queue.ArmedUpdated
		change = bson.D{{Key: "data", Value: nil}, {Key: "priority", Value: job.Number(r.Priority)}}
		if !isNull(r.Data) {
			change[0].Value = r.Data
		}
	}
	next, _ := plan.NextRun(time.Time{}, time.Time{}, now)
	switch {
	case r.KeepSchedule:
	case !sameSchedule(d, r.Repeat):
		armed = queue.ArmedMoved
		if every, ok := plan.Every(); ok && !d.LastRunAt.IsZero() { // a changed interval counts on from the last run
			next = later(d.LastRunAt.Add(every), now)
		}
		asked := &job.Document{SkipDays: r.Repeat.SkipDays}
		change = append(change,
			bson.E{Key: "repeatInterval", Value: r.Repeat.Interval}, bson.E{Key: "repeatTimezone", Value: textOrNull(r.Repeat.Timezone)},
			bson.E{Key: "startDate", Value: job.Date(r.Repeat.Start)}, bson.E{Key: "endDate", Value: job.Date(r.Repeat.End)},
			bson.E{Key: "skipDays", Value: skipDaysOrNull(asked.SkipDays)}, bson.E{Key: "nextRunAt", Value: job.Date(next)})
	case d.NextRunAt.IsZero() && d.LockedAt.IsZero() && !next.IsZero():
		// Agenda's every() leaves such a document without a next run for ever.
		armed = queue.ArmedRevived
		change = append(change, bson.E{Key: "nextRunAt", Value: job.Date(next)})
	}
	return switchTicks(d, r, change, armed, next, now)
}

// switchTicks sets Agenda's disabled flag. A tick that passed while it was set
// is not made up for: whoever switches a job on does not expect it to run at once.
func switchTicks(d *job.Document, r queue.Recurring, change bson.D, armed queue.Armed, next, now time.Time) (bson.D, queue.Armed) {
	if r.Enabled == nil || *r.Enabled == !d.Disabled {
		return change, armed
	}
	if !*r.Enabled {
		return append(change, bson.E{Key: "disabled", Value: true}), queue.ArmedDisabled
	}
	change = append(change, bson.E{Key: "disabled", Value: nil})
	planned := slices.ContainsFunc(change, func(e bson.E) bool { return e.Key == "nextRunAt" })
	if !planned && d.NextRunAt.Before(now) && d.LockedAt.IsZero() && !r.KeepSchedule {
		change = append(change, bson.E{Key: "nextRunAt", Value: job.Date(next)})
	}
	return change, queue.ArmedEnabled
}

func sameSchedule(d *job.Document, spec schedule.Spec) bool {
	return d.RepeatInterval == spec.Interval && d.RepeatTimezone == spec.Timezone &&
		d.StartDate.Equal(spec.Start) && d.EndDate.Equal(spec.End) && slices.Equal(d.SkipDays, spec.SkipDays)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func skipDaysOrNull(days []time.Weekday) any {
	if len(days) == 0 {
		return nil
	}
	return job.WeekdayNumbers(days)
}
