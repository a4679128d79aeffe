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
	{"migrations/internal/steps.", "", "a migration reads the jobs once, and what it keeps for the way back"},
	{"api/internal/leaderboard/leaderboardmongo.", "", "the leaderboard sums up all practices, once in some minutes for all who ask"},
	{"worker/internal/backup/backupmongo.", "", "a backup reads everything"},
	{"worker/internal/handlers/", "", "a business job reads all that it is about, such as a week, and goes by pages"},
	{"worker/internal/notify/", "", "the same: everybody is notified"},
	{"pkg/media/mediamongo.(*Store).CreatedBefore", "", "the job \"check orphaned media\" looks at each record once"},
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
