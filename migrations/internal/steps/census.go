package steps

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
)

// census is what there is beside the recurring jobs that are handed over.
type census struct {
	pending, finished, foreignRecurring int
	locked, nameless, badDate           int
	dialects                            []string // what only some versions of Agenda write
	badSchedules                        []string // a sentence for each, of whichever name
	badSchedulesMore                    int      // those that are not listed
}

// maxBadSchedules bounds how many are listed.
const maxBadSchedules = 50

// censusFields keeps payloads and results off the wire.
var censusFields = bson.D{{Key: "data", Value: 0}, {Key: "result", Value: 0}}

// takeCensus streams the job collection once.
func takeCensus(ctx context.Context, jobs *mongo.Collection, ours []string, zone *time.Location) (census, error) {
	var c census
	cursor, err := jobs.Find(ctx, bson.D{}, options.Find().SetProjection(censusFields))
	if err != nil {
		return c, fmt.Errorf("read %s: %w", jobs.Name(), err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	dialects := map[string]int{}
	for cursor.Next(ctx) {
		document := &job.Document{}
		if err := document.UnmarshalBSON(cursor.Current); err != nil {
			c.nameless++
			continue
		}
		c.add(document, cursor.Current, ours)
		c.addSchedule(stored{cursor.Current, document}, zone)
		for _, dialect := range dialectsOf(document, cursor.Current) {
			dialects[dialect]++
		}
	}
	for dialect, n := range dialects {
		c.dialects = append(c.dialects, fmt.Sprintf("%s (%d)", dialect, n))
	}
	slices.Sort(c.dialects)
	return c, cursor.Err()
}

func (c *census) add(d *job.Document, raw bson.Raw, ours []string) {
	if !d.LockedAt.IsZero() {
		c.locked++
	}
	next := raw.Lookup("nextRunAt")
	switch recurring := d.RepeatInterval != "" || d.Type == job.Single; {
	case next.Type != 0 && next.Type != bson.TypeNull && next.Type != bson.TypeDateTime:
		c.badDate++
	case recurring && !slices.Contains(ours, d.Name):
		c.foreignRecurring++
	case recurring: // handed over
	case d.NextRunAt.IsZero():
		c.finished++
	default:
		c.pending++
	}
}

// addSchedule tells what is wrong with a stored schedule: jobs of every name may
// be run here one day, and Agenda says nothing.
func (c *census) addSchedule(s stored, zone *time.Location) {
	_, problem := s.Schedule(zone)
	switch {
	case problem == nil:
	case len(c.badSchedules) == maxBadSchedules:
		c.badSchedulesMore++
	default:
		c.badSchedules = append(c.badSchedules, fmt.Sprintf("%q (%s): %s", s.Name, s.shownID(), problem))
	}
}

// dialectsOf names what differs between the versions of Agenda.
func dialectsOf(d *job.Document, raw bson.Raw) []string {
	var found []string
	if d.Type == job.Once {
		found = append(found, "type once of Agenda 4 and 5")
	}
	if d.SkipDaysText != "" {
		found = append(found, "skipDays as text of Agenda 4 and 5, which is not acted upon")
	}
	for _, field := range []string{"startDate", "endDate"} {
		switch raw.Lookup(field).Type {
		case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble:
			found = append(found, field+" as a number of Agenda 4 and 5")
		}
	}
	switch raw.Lookup("repeatInterval").Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble:
		found = append(found, "repeatInterval as a number")
	}
	if _, err := raw.LookupErr("state"); err == nil {
		found = append(found, "a stale state of Agendash 8, which is ignored")
	}
	return found
}
