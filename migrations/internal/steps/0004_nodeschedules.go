package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/schema"
)

// nodeSchedule begins the _id of a remembered schedule in the archive.
const nodeSchedule = "nodeSchedule"

// changedBy is who set the schedules that are kept.
const changedBy = "migrate"

// replaced are the jobs that stand for src/cron.js of the Node backend.
var replaced = []string{"send study reminders", "nudge inactive users"}

// nodeSchedules hands the recurring jobs of Node's Agenda over to the worker.
//
// Node stored no time zone and ran them by the clock of its process; the worker
// runs them by JOBS_TIMEZONE. Left alone, arming would see a changed schedule
// and plan the next tick from now.
//
// The rule: the pending tick keeps the time that its clock shows. "27 November
// 09:00" in Node's zone becomes 27 November 09:00 in ours, and if that has
// passed already it is due now. No tick is lost and none is doubled, since both
// zones have the same ticks by their clocks. Distances such as "5 minutes" keep
// their next run.
//
// What the worker's definitions replace in a document, here or when the worker
// arms, is said, remembered in the archive and given back by down: the schedule
// with its bounds, and the priority where the definition has one. The payload
// stays.
func nodeSchedules(recurring []catalog.Definition) migrate.Step {
	return migrate.Step{
		Number: 4, Name: "node-schedules", Why: "hands the recurring jobs of Node's Agenda over to the worker without losing a tick",
		Plan: func(ctx context.Context, target migrate.Target) ([]migrate.Action, error) {
			jobs := target.DB.Collection(target.Jobs)
			byName, err := recurringJobs(ctx, jobs, recurring)
			if err != nil {
				return nil, err
			}
			var actions []migrate.Action
			for _, definition := range recurring {
				if group := byName[definition.Name]; len(group) > 0 {
					actions = append(actions, takeOver(target, jobs, definition, group)...)
				} else {
					actions = append(actions, created(target, definition))
				}
			}
			left, err := leftAlone(ctx, target, jobs, recurring)
			return append(actions, left...), err
		},
		Undo: giveBack,
	}
}

// created says which jobs the worker makes at its start.
func created(target migrate.Target, d catalog.Definition) migrate.Action {
	why := ""
	if slices.Contains(replaced, d.Name) {
		why = ", in place of src/cron.js"
	}
	return migrate.Remark(target.Jobs, "the worker makes %q at its start: %s, %s%s", d.Name, d.Repeat.Interval, d.Repeat.Timezone, why)
}

func takeOver(target migrate.Target, jobs *mongo.Collection, d catalog.Definition, group []stored) []migrate.Action {
	s := ranLast(group)
	if len(group) > 1 { // they are there only while planning: their step is applied first
		merged := *s.Document
		merged.NextRunAt = pendingTick(target, s, group)
		s.Document = &merged
	}
	lost := replacedBy(d, s)
	if len(group) == 1 && s.Type == job.Single && s.RepeatTimezone == d.Repeat.Timezone && s.RepeatInterval == d.Repeat.Interval && len(lost) == 0 {
		return nil
	}
	own := d.Repeat.Interval
	d.Repeat.Interval = s.RepeatInterval
	if _, err := schedule.Parse(d.Repeat, target.Zone); err != nil {
		text := fmt.Sprintf("%q has the schedule %q, which is not read; the worker sets its own at its start: %s", d.Name, s.RepeatInterval, own)
		return []migrate.Action{{Collection: jobs.Name(), Text: text + archived(lost), Documents: 1, Do: func(ctx context.Context) error {
			return handOver(ctx, target, jobs, d, s, bson.D{{Key: "type", Value: string(job.Single)}})
		}}}
	}
	next := sameClock(target, d, s.Document)
	text := fmt.Sprintf("hand %q over: %s, time zone %s", d.Name, d.Repeat.Interval, d.Repeat.Timezone)
	if s.RepeatInterval != own {
		text += fmt.Sprintf(" (not this release's %s: it becomes the schedule that an operator set)", own)
	}
	return []migrate.Action{{Collection: jobs.Name(), Text: text + moves(target, s.NextRunAt, next) + archived(lost), Documents: 1, Do: func(ctx context.Context) error {
		if s.RepeatInterval != own {
			if err := override(ctx, target, d.Name, s.RepeatInterval); err != nil {
				return err
			}
		}
		return handOver(ctx, target, jobs, d, s, handed(d, s, next))
	}}}
}

// handed is what is stored in place of Node's zone, bounds and next run.
func handed(d catalog.Definition, s stored, next time.Time) bson.D {
	fields := bson.D{
		{Key: "type", Value: string(job.Single)},
		{Key: "repeatTimezone", Value: d.Repeat.Timezone},
		{Key: "nextRunAt", Value: job.Date(next)},
	}
	for _, field := range []string{"startDate", "endDate", "skipDays"} {
		if v := s.raw.Lookup(field); v.Type != 0 && v.Type != bson.TypeNull {
			fields = append(fields, bson.E{Key: field, Value: nil})
		}
	}
	return fields
}

// moves says what becomes of the pending tick.
func moves(target migrate.Target, from, next time.Time) string {
	if next.IsZero() {
		return "; it has no next run, and the worker plans one at its start"
	}
	text := fmt.Sprintf("; the next run at %s moves to %s", from.Format(time.RFC3339), next.UTC().Format(time.RFC3339))
	if next.Before(target.Now()) {
		text += ", which is due at once"
	}
	return text
}

// replacedBy says what a document has beside its interval that the definition
// does not leave.
func replacedBy(d catalog.Definition, s stored) []string {
	var lost []string
	for _, field := range []string{"startDate", "endDate", "skipDays"} {
		if v := s.raw.Lookup(field); v.Type != 0 && v.Type != bson.TypeNull {
			lost = append(lost, field+" "+shownValue(v))
		}
	}
	if d.Priority != job.PriorityNormal && d.Priority != s.Priority {
		lost = append(lost, fmt.Sprintf("priority %v (here %v)", s.Priority, d.Priority))
	}
	return lost
}

// shownValue shows dates as dates.
func shownValue(v bson.RawValue) string {
	if at, ok := v.TimeOK(); ok {
		return at.UTC().Format(time.RFC3339)
	}
	return v.String()
}

func archived(lost []string) string {
	if len(lost) == 0 {
		return ""
	}
	return "; this release does not have its " + strings.Join(lost, ", ") + ": kept in " + archive + ", and given back by down"
}

// override makes the schedule that Node stored the one that an operator set,
// so that the worker does not arm its own. One that is set already stands.
func override(ctx context.Context, target migrate.Target, name, interval string) error {
	unset := append(byID(name), bson.E{Key: "schedule", Value: nil})
	_, err := target.DB.Collection(schema.Settings).UpdateOne(ctx, unset, set(bson.D{{Key: "schedule", Value: job.ScheduleOverride{
		Interval: interval, ChangedBy: changedBy, ChangedAt: target.Now(),
	}}}), options.UpdateOne().SetUpsert(true))
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("keep the schedule: %w", err)
	}
	return nil
}

// sameClock is the next run with the same time on the clock of our zone.
func sameClock(target migrate.Target, d catalog.Definition, document *job.Document) time.Time {
	plan, err := schedule.Parse(d.Repeat, target.Zone)
	if document.NextRunAt.IsZero() || err != nil || !plan.IsCron() {
		return document.NextRunAt
	}
	from := target.NodeZone
	if document.RepeatTimezone != "" {
		if zone, err := schedule.ParseZone(document.RepeatTimezone); err == nil {
			from = zone
		}
	}
	year, month, day := document.NextRunAt.In(from).Date()
	hour, minute, second := document.NextRunAt.In(from).Clock()
	return time.Date(year, month, day, hour, minute, second, 0, plan.Location())
}

// handOver remembers what Node had, and makes the document the one of the worker.
func handOver(ctx context.Context, target migrate.Target, jobs *mongo.Collection, d catalog.Definition, s stored, fields bson.D) error {
	if s.running(target.Now()) {
		return fmt.Errorf("it is running since %s: stop the Node processes, or wait until its lock is ten minutes old, and run migrate up again",
			s.LockedAt.Format(time.RFC3339))
	}
	if err := remember(ctx, target, d, s); err != nil {
		return err
	}
	result, err := jobs.UpdateOne(ctx, s.unchanged(), set(fields))
	if err != nil {
		return fmt.Errorf("change the schedule: %w", err)
	}
	if result.MatchedCount == 0 {
		return errTouched(s)
	}
	return nil
}

// leftAlone says what becomes of the other documents.
func leftAlone(ctx context.Context, target migrate.Target, jobs *mongo.Collection, recurring []catalog.Definition) ([]migrate.Action, error) {
	census, err := takeCensus(ctx, jobs, names(recurring), target.NodeZone)
	if err != nil {
		return nil, err
	}
	var actions []migrate.Action
	say := func(n int, format string) {
		if n > 0 {
			actions = append(actions, migrate.Remark(jobs.Name(), format, n))
		}
	}
	say(census.pending, "%d one-off jobs that are planned are kept as they are")
	say(census.finished, "%d one-off jobs that have ended are kept as they are")
	say(census.foreignRecurring, "%d recurring jobs of other names are kept as they are, for the Node processes that define them")
	say(census.locked, "%d jobs are locked by a process that runs or that was killed; a lock of ten minutes is taken over")
	say(census.nameless, "%d documents have no name, and no version of Agenda runs them")
	say(census.badDate, "%d documents have a nextRunAt that is no date, and no version of Agenda runs them")
	if len(census.dialects) > 0 {
		actions = append(actions, migrate.Remark(jobs.Name(), "understood, and left as they are: %s", strings.Join(census.dialects, ", ")))
	}
	for _, bad := range census.badSchedules {
		actions = append(actions, migrate.Remark(jobs.Name(), "%s", bad))
	}
	say(census.badSchedulesMore, "%d more documents have a schedule with a problem")
	return actions, nil
}
