package steps

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schema"
)

// remember keeps what Node had stored, for the way back.
func remember(ctx context.Context, target migrate.Target, d catalog.Definition, s stored, zone any) error {
	_, err := target.DB.Collection(archive).UpdateOne(ctx, byID(nodeSchedule+" "+d.Name), bson.D{{Key: "$setOnInsert", Value: bson.D{
		{Key: "step", Value: "node-schedules"},
		{Key: "name", Value: d.Name},
		{Key: "repeatTimezone", Value: zone},
		{Key: "type", Value: string(s.Type)},
	}}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("remember the schedule of Node: %w", err)
	}
	return nil
}

// giveBack restores the time zones that Node had stored. The pending tick
// keeps its clock, the other way round.
func giveBack(ctx context.Context, target migrate.Target, _ []string) ([]migrate.Action, error) {
	cursor, err := target.DB.Collection(archive).Find(ctx, bson.D{{Key: "step", Value: "node-schedules"}})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	var remembered []struct {
		ID   string        `bson:"_id"`
		Name string        `bson:"name"`
		Zone bson.RawValue `bson:"repeatTimezone"`
		Type string        `bson:"type"`
	}
	if err := cursor.All(ctx, &remembered); err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	jobs := target.DB.Collection(target.Jobs)
	var actions []migrate.Action
	for _, r := range remembered {
		zone, _ := r.Zone.StringValueOK()
		actions = append(actions, migrate.Action{
			Collection: jobs.Name(), Documents: 1, Text: fmt.Sprintf("give %q back to Node, by the clock of Node's process", r.Name),
			Do: func(ctx context.Context) error {
				if err := giveBackOne(ctx, target, jobs, r.Name, r.Type, zone); err != nil {
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

func giveBackOne(ctx context.Context, target migrate.Target, jobs *mongo.Collection, name, kind, zone string) error {
	var raw bson.Raw
	err := jobs.FindOne(ctx, bson.D{{Key: "name", Value: name}, {Key: "type", Value: string(job.Single)}}).Decode(&raw)
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
	back := migrate.Target{NodeZone: target.Zone}
	repeat := catalog.Definition{}
	repeat.Repeat.Interval, repeat.Repeat.Timezone = s.RepeatInterval, zone
	if zone == "" {
		back.Zone = target.NodeZone
	}
	fields := bson.D{{Key: "repeatTimezone", Value: nil}, {Key: "type", Value: kind}, {Key: "nextRunAt", Value: job.Date(sameClock(back, repeat, s.Document))}}
	if zone != "" {
		fields[0].Value = zone
	}
	result, err := jobs.UpdateOne(ctx, s.unchanged(), set(fields))
	if err == nil && result.MatchedCount == 0 {
		return errTouched(s)
	}
	return err
}
