package mongoqueue

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// maxRecurring bounds the list of recurring jobs.
const maxRecurring = 1000

// readSettings reads the settings of a name. They may have been written by hand:
// a key that cannot be read is reported and counts as absent, and neither the
// other keys nor the other names suffer.
func readSettings(raw bson.Raw) job.Settings {
	var settings job.Settings
	elements, err := raw.Elements()
	if err != nil {
		return job.Settings{Problems: []string{"the document is damaged"}}
	}
	for _, element := range elements {
		key := element.Key()
		if key == "schedule" {
			settings.Schedule = readSchedule(element.Value())
			continue
		}
		one, err := bson.Marshal(bson.D{{Key: key, Value: element.Value()}})
		if err == nil {
			next := settings // a failed decode must not leave half of its work
			if err = bson.Unmarshal(one, &next); err == nil {
				settings = next
				continue
			}
		}
		settings.Problems = append(settings.Problems, fmt.Sprintf("%s %s cannot be used", key, element.Value()))
	}
	return settings
}

func readSchedule(value bson.RawValue) *job.ScheduleOverride {
	if value.Type == bson.TypeNull {
		return nil
	}
	var schedule job.ScheduleOverride
	if err := value.Unmarshal(&schedule); err != nil {
		return &job.ScheduleOverride{Problem: fmt.Sprintf("the stored schedule %s cannot be used; set it anew", value)}
	}
	return &schedule
}
