package mongotest

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// excuse lets a function send what reads in proportion to a collection.
type excuse struct {
	function   string // how it begins
	collection string // "" = any
	reason     string
}

// excuses are all of them. A line is added with a reason, or not at all.
var excuses = []excuse{
	{"pkg/queue/mongoqueue.(*Store).PurgeFinished", "", "retention, once an hour: an index would cost every job that ends a write"},
	{"pkg/queue/mongoqueue.(*Store).claim", "", "the update by _id has no hint"},
	{"pkg/queue/mongoqueue.(*Store).resume", "", "the runs of a job that began at one instant"},
	{"pkg/queue/mongoqueue.(*Store).replaceUnique", "", "unique jobs are looked for by values of the payload, which no index has"},
	{"pkg/queue/mongoqueue.(*Store).change", "", "the same"},
}

func excused(who origin, command bson.Raw) bool {
	collection, _ := command.Index(0).Value().StringValueOK()

	for _, e := range excuses {
		if strings.HasPrefix(who.function, e.function) && (e.collection == "" || e.collection == collection) {
			return true
		}
	}

	return false
}
