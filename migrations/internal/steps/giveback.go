package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schema"
)

// scheduleFields are what the worker's definitions replace in a job. The priority
// is one more where the definition has one.
var scheduleFields = []string{"type", "repeatInterval", "repeatTimezone", "startDate", "endDate", "skipDays"}

// remember keeps what Node had stored, for the way back.
func remember(ctx context.Context, target migrate.Target, d catalog.Definition, s stored) error {
	fields := scheduleFields
	if d.Priority != job.PriorityNormal {
		fields = append(slices.Clone(fields), "priority")
	}
	node := bson.D{}
	for _, field := range fields {
		if v := s.raw.Lookup(field); v.Type != 0 {
			node = append(node, bson.E{Key: field, Value: v})
		}
	}
	_, err := target.DB.Collection(archive).UpdateOne(ctx, byID(nodeSchedule+" "+d.Name), bson.D{{Key: "$setOnInsert", Value: bson.D{
		{Key: "step", Value: "node-schedules"},
		{Key: "name", Value: d.Name},
		{Key: "archivedAt", Value: target.Now()},
		{Key: "node", Value: node},
		{Key: "nextRunAt", Value: job.Date(s.NextRunAt)},
		{Key: "lastRunAt", Value: job.Date(s.LastRunAt)},
	}}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("remember the schedule of Node: %w", err)
	}
	return nil
}

// remembered is what remember kept of a job.
type remembered struct {
	ID   string   `bson:"_id"`
	Name string   `bson:"name"`
	Node bson.Raw `bson:"node"`
	// The next and the last run when Node left it.
	NextRunAt time.Time `bson:"nextRunAt"`
	LastRunAt time.Time `bson:"lastRunAt"`
}

// giveBack restores what Node had stored. The pending tick keeps its clock, the
// other way round.
func giveBack(ctx context.Context, target migrate.Target, _ []string) ([]migrate.Action, error) {
	cursor, err := target.DB.Collection(archive).Find(ctx, bson.D{{Key: "step", Value: "node-schedules"}})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	var all []remembered
	if err := cursor.All(ctx, &all); err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	jobs := target.DB.Collection(target.Jobs)
	var actions []migrate.Action
	for _, r := range all {
		actions = append(actions, migrate.Action{
			Collection: jobs.Name(), Documents: 1, Text: fmt.Sprintf("give %q back to Node, by the clock of Node's process", r.Name),
			Do: func(ctx context.Context) error {
				if err := giveBackOne(ctx, target, jobs, r); err != nil {
					return err
				}
				_, err := target.DB.Collection(schema.Settings).UpdateOne(ctx, append(byID(r.Name), bson.E{Key: "schedule.changedBy", Value: changedBy}),
					bson.D{{Key: "$unset", Value: bson.D{{Key: "schedule", Value: ""}}}})
				if err != nil {
					return fmt.Errorf("remove the schedule that was kept: %w", err)
				}
				_, err = target.DB.Collection(archive).DeleteOne(ctx, byID(r.ID))
				return err
			},
		})
	}
	return actions, nil
}

func giveBackOne(ctx context.Context, target migrate.Target, jobs *mongo.Collection, r remembered) error {
	var raw bson.Raw
	err := jobs.FindOne(ctx, bson.D{{Key: "name", Value: r.Name}, {Key: "type", Value: string(job.Single)}}).Decode(&raw)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil // deleted since
	}
	if err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	s := stored{raw, &job.Document{}}
	if err := s.UnmarshalBSON(raw); err != nil {
		return err
	}
	if s.running(target.Now()) {
		return fmt.Errorf("it is running since %s: stop the workers, and run migrate down again", s.LockedAt)
	}
	var back, absent bson.D
	elements, err := r.Node.Elements()
	if err != nil {
		return fmt.Errorf("read what was remembered: %w", err)
	}
	for _, e := range elements {
		back = append(back, bson.E{Key: e.Key(), Value: e.Value()})
	}
	for _, field := range scheduleFields {
		if r.Node.Lookup(field).Type == 0 && raw.Lookup(field).Type != 0 {
			absent = append(absent, bson.E{Key: field, Value: ""})
		}
	}
	next, err := r.tick(target, s, back)
	if err != nil {
		return err
	}
	update := set(append(back, bson.E{Key: "nextRunAt", Value: job.Date(next)}))
	if len(absent) > 0 {
		update = append(update, bson.E{Key: "$unset", Value: absent})
	}
	result, err := jobs.UpdateOne(ctx, s.unchanged(), update)
	if err == nil && result.MatchedCount == 0 {
		return errTouched(s)
	}
	return err
}

// tick is the pending tick on the clock of Node. Where Node gets another schedule
// back than the job has now, a tick that is due stays due; if the job has not
// run here the next run is the one that Node had planned, and else that of the
// schedule.
func (r remembered) tick(target migrate.Target, s stored, back bson.D) (time.Time, error) {
	named := slices.Concat(bson.D{{Key: "name", Value: s.Name}}, back)
	raw, err := bson.Marshal(named)
	if err != nil {
		return time.Time{}, fmt.Errorf("read what was remembered: %w", err)
	}
	node := &job.Document{}
	if err := node.UnmarshalBSON(raw); err != nil {
		return time.Time{}, fmt.Errorf("read what was remembered: %w", err)
	}
	if node.RepeatInterval == s.RepeatInterval {
		to := migrate.Target{NodeZone: target.Zone}
		if node.RepeatTimezone == "" {
			to.Zone = target.NodeZone
		}
		d := catalog.Definition{}
		d.Repeat.Interval, d.Repeat.Timezone = node.RepeatInterval, node.RepeatTimezone
		return sameClock(to, d, s.Document), nil
	}
	plan, _ := node.Schedule(target.NodeZone)
	switch due := !s.NextRunAt.IsZero() && !s.NextRunAt.After(target.Now()); {
	case !due && s.LastRunAt.Equal(r.LastRunAt):
		return r.NextRunAt, nil
	case due || plan == nil:
		return s.NextRunAt, nil
	}
	next, _ := plan.NextRun(s.LastRunAt, time.Time{}, target.Now())
	return latest(next, target.Now()), nil
}
