// Package steps holds the numbered steps of the schema, one file each. A
// number is given once and a step that was released is never edited.
//
// To add one: a file with the next number, a line in All, and schema.Version
// raised to it. Say in ReadableFrom whether programs of older versions can go
// on, and raise schema.Oldest if new programs cannot work without it. Keep
// data steps below the number of the indexes where an index depends on them.
package steps

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/catalog"
)

// All lists the steps in order. jobs is the name of the job collection, and
// recurring is what the worker keeps armed.
func All(jobs string, recurring []catalog.Definition) []migrate.Step {
	return []migrate.Step{
		userJourneys(),
		queueCollections(),
		singleJobs(recurring),
		nodeSchedules(recurring),
		indexes(jobs),
		addresses(),
	}
}

// byID is the filter of one document.
func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

// plural is "1 document" or "3 documents".
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
