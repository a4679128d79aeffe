package mongoqueue

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// readSettings reads the settings of a name. They may have been written by hand:
// a key that cannot be read is a problem and counts as not set, and neither the
// other keys nor the other names suffer. Only a pause that cannot be read counts
// as set: what somebody wanted to stop can be started later, and not the other
// way round.
func readSettings(raw bson.Raw) job.Settings {
	var settings job.Settings
	elements, err := raw.Elements()
	if err != nil {
		return job.Settings{Problems: []string{"the document is damaged, and nothing of it counts"}}
	}
	for _, element := range elements {
		key, value := element.Key(), element.Value()
		if key == "schedule" {
			settings.Schedule = readSchedule(value)
			continue
		}
		next := settings // a failed decode must not leave half of its work
		one, err := bson.Marshal(bson.D{{Key: key, Value: value}})
		if err == nil {
			err = bson.Unmarshal(one, &next)
		}
		problem := problemOf(key, value, next, err)
		if problem == "" {
			settings = next
			continue
		}
		settings.Problems = append(settings.Problems, problem)
		settings.Paused = settings.Paused || key == "paused"
	}
	return ofOneName(raw, settings)
}

// problemOf says why a key cannot be used, read as it was; "" = it can.
func problemOf(key string, value bson.RawValue, read job.Settings, err error) string {
	shown := key + " " + shownValue(value)
	switch {
	case err != nil && key == "paused":
		return shown + " is neither true nor false; the name is held as if it were true"
	case err != nil:
		return shown + " cannot be read, and counts as not set"
	case key == "concurrency" && read.Concurrency < 0:
		return shown + " is less than 0, and counts as not set"
	case key == "missed" && !read.Missed.Known():
		return shown + " is no policy, and counts as not set; set it to once, skip or all"
	case key == "overlap" && !read.Overlap.Known():
		return shown + " is no policy, and counts as not set; set it to skip or allow"
	default:
		return ""
	}
}

// ofOneName makes the settings of no name visible under their _id: names are
// text.
func ofOneName(raw bson.Raw, settings job.Settings) job.Settings {
	id := raw.Lookup("_id")
	if name, ok := id.StringValueOK(); ok && name != "" {
		return settings
	}
	shown := shownValue(id)
	return job.Settings{Name: "_id " + shown, Problems: []string{"_id " + shown + " is not the name of a job, and nothing of the document counts"}}
}

func readSchedule(value bson.RawValue) *job.ScheduleOverride {
	if value.Type == bson.TypeNull {
		return nil
	}
	var schedule job.ScheduleOverride
	if err := value.Unmarshal(&schedule); err != nil {
		return &job.ScheduleOverride{Problem: fmt.Sprintf("the stored schedule %s cannot be used; set it anew", shownValue(value))}
	}
	return &schedule
}

// shownValue is a stored value as a message repeats it.
func shownValue(value bson.RawValue) string {
	const most = 80
	text := value.String()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
