// Package poison makes documents that no program of ours would write: any type
// in any field. They cost nobody but themselves, or the promise is broken.
package poison

import (
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Document is one of them.
type Document struct {
	Collection string
	Fields     bson.D // with an _id
}

// ID is how a history names a stored document: an ObjectId by its hex form,
// any other _id by its type and text.
func ID(value bson.RawValue) string {
	if id, ok := value.ObjectIDOK(); ok {
		return id.Hex()
	}
	return fmt.Sprintf("%s %s", value.Type, value.String())
}

// Documents returns one of each kind, among the jobs of a name. Its numbers are
// of any process: the number keeps the ids of two calls apart.
func Documents(name string, number int, now time.Time) []Document {
	var all []Document
	due := now.Add(-time.Hour)
	// job is a due job that differs from a good one in some fields.
	job := func(fields ...bson.E) {
		document := bson.D{
			{Key: "_id", Value: bson.NewObjectID()},
			{Key: "name", Value: name},
			{Key: "type", Value: "normal"},
			{Key: "priority", Value: 0},
			{Key: "nextRunAt", Value: due},
			{Key: "lockedAt", Value: nil},
			{Key: "data", Value: bson.D{}},
		}
		for _, field := range fields {
			document = with(document, field)
		}
		all = append(all, Document{"agendaJobs", document})
	}
	field := func(key string, values ...any) {
		for _, value := range values {
			job(bson.E{Key: key, Value: value})
		}
	}
	field("name", bson.A{name}, bson.A{name, "other"}, bson.D{{Key: "a", Value: name}}, 7, true)
	field("_id", fmt.Sprintf("text-%d", number), 7+number, 7.5+float64(number), number%2 == 0, bson.D{{Key: "n", Value: number}},
		now.Add(time.Duration(number)*time.Second), bson.Binary{Data: []byte{byte(number)}})
	field("repeatInterval", "", false, 5, bson.A{}, bson.D{}, "now and then")
	field("repeatAt", "", 5, "never o'clock")
	field("nextRunAt", "yesterday", 12, bson.A{due}, year(9999), year(1))
	field("lockedAt", "yesterday", 12, false)
	field("lastRunAt", "yesterday", bson.A{due}, year(9999))
	field("lastFinishedAt", "yesterday", year(9999))
	field("failedAt", "yesterday", year(9999))
	field("failCount", "many", bson.A{1})
	field("priority", "high", bson.A{20})
	field("disabled", "no", bson.A{false})
	field("data", "text", 5, bson.A{1, "two"}, bson.D{{Key: "waitMs", Value: "long"}})
	field("type", 5, nil)
	field("lease", "mine", bson.A{}, bson.D{{Key: "holder", Value: 5}, {Key: "due", Value: "soon"}})
	field("resume", 5, bson.D{{Key: "at", Value: due}, {Key: "attempt", Value: "first"}, {Key: "failures", Value: -5}})
	field("cancelledAt", "yesterday", false)
	ran := bson.NewObjectID()
	job(bson.E{Key: "_id", Value: ran}, bson.E{Key: "lastRunAt", Value: due})
	return append(all, beside(ran, due, number)...)
}

// beside are documents of the other collections. The first is the record of the
// run before of a job above.
func beside(ran bson.ObjectID, due time.Time, number int) []Document {
	id := func(text string) bson.E { return bson.E{Key: "_id", Value: fmt.Sprintf("%s-%d", text, number)} }
	return []Document{
		{"agendaRuns", bson.D{
			{Key: "_id", Value: bson.NewObjectID()},
			{Key: "jobId", Value: ran},
			{Key: "startedAt", Value: due},
			{Key: "tick", Value: "soon"},
			{Key: "attempt", Value: "first"},
			{Key: "outcome", Value: 5},
		}},
		{"agendaRuns", bson.D{id("run"), {Key: "jobId", Value: "mine"}, {Key: "worker", Value: 5}, {Key: "outcome", Value: bson.A{}}}},
		{"agendaInstances", bson.D{{Key: "_id", Value: 7 + number}, {Key: "expiresAt", Value: "never"}}},
		{"agendaInstances", bson.D{id("worker@text"), {Key: "kind", Value: "worker"}, {Key: "expiresAt", Value: "never"}, {Key: "inFlight", Value: "many"}}},
		{"agendaInstances", bson.D{id("worker@names"), {Key: "kind", Value: "worker"}, {Key: "expiresAt", Value: year(1)}, {Key: "runs", Value: 5}}},
		{"agendaInstances", bson.D{id("worker@later"), {Key: "kind", Value: 5}, {Key: "seenAt", Value: year(9999)}, {Key: "expiresAt", Value: year(9999)}}},
		{"agendaSettings", bson.D{id("settings"), {Key: "slots", Value: "none"}, {Key: "concurrency", Value: "few"}, {Key: "paused", Value: "yes"}}},
		{"agendaSettings", bson.D{{Key: "_id", Value: 7 + number}, {Key: "retry", Value: "often"}, {Key: "schedule", Value: 5}}},
	}
}

// Big is a good job whose payload takes 15 MB.
func Big(name string, now time.Time) Document {
	return Document{"agendaJobs", bson.D{
		{Key: "_id", Value: bson.NewObjectID()},
		{Key: "name", Value: name},
		{Key: "type", Value: "normal"},
		{Key: "priority", Value: 0},
		{Key: "nextRunAt", Value: now},
		{Key: "lockedAt", Value: nil},
		{Key: "data", Value: bson.D{{Key: "blob", Value: strings.Repeat("x", 15<<20)}}},
	}}
}

func year(n int) time.Time { return time.Date(n, time.December, 31, 0, 0, 0, 0, time.UTC) }

// with replaces a field, or adds it.
func with(document bson.D, field bson.E) bson.D {
	for i := range document {
		if document[i].Key == field.Key {
			document[i].Value = field.Value
			return document
		}
	}
	return append(document, field)
}
