package schema

import "go.mongodb.org/mongo-driver/v2/bson"

// NodeModels is the number of models of the Node backend. Its status documents
// give it as the number of collections.
const NodeModels = 13

// Verdict is what becomes of an index that the Node backend made and that this
// code does not rely on.
type Verdict string

// The verdicts.
const (
	Kept    Verdict = "kept"    // the Node backend's own routes, or Agendash, use it
	Useless Verdict = "useless" // no query can use it: the fields are in no document
	Harmful Verdict = "harmful" // it refuses what is right, and is removed
)

// NodeIndex is one index of the Node backend, of mongoose or of Agendash.
type NodeIndex struct {
	Collection string
	Keys       bson.D
	Unique     bool
	Verdict    Verdict
	Why        string
}

// NodeIndexes lists them. The Node backend made the useless and the harmful
// ones when it started, in src/utils/dbOptimization. jobs is the name of the
// job collection; "" = Jobs.
func NodeIndexes(jobs string) []NodeIndex {
	if jobs == "" {
		jobs = Jobs
	}
	const (
		absent   = "no document has the field"
		mongoose = "mongoose makes it for the Node backend's routes"
		routes   = "the Node backend's routes can use it"
		agendash = "Agendash 2 to 4 makes it for its pages"
	)
	index := func(collection string, k bson.D, verdict Verdict, why string) NodeIndex {
		return NodeIndex{Collection: collection, Keys: k, Verdict: verdict, Why: why}
	}
	unique := func(i NodeIndex) NodeIndex { i.Unique = true; return i }
	return []NodeIndex{
		unique(index(UserJourneys, keys("user", 1), Harmful, "a user keeps replaced journeys, so the second journey of a user is refused")),
		index(Users, keys("lastActive", -1), Useless, absent),
		index("questions", keys("category", 1, "difficulty", 1), Useless, absent),
		index("questions", keys("tags", 1), Useless, absent),
		index(PracticeHistories, keys("user", 1, "category", 1), Useless, "no practice has a category; {user, endTime} serves the user"),
		index(UserJourneys, keys("stages.currentDay", 1), Useless, absent),
		index(Notifications, keys("user", 1, "read", 1), Useless, "the field is called isRead; {user, createdAt} serves the user"),
		index("vocabularytopics", keys("name", 1, "level", 1), Useless, "the field is called topicName"),
		index("grammars", keys("title", 1, "level", 1), Useless, "the field is called topic"),
		unique(index("questions", keys("questionNumber", 1), Kept, mongoose)),
		unique(index("vocabularytopics", keys("topicName", 1), Kept, mongoose)),
		unique(index("favorite_questions", keys("userId", 1, "questionId", 1), Kept, mongoose)),
		index("questions", keys("createdAt", -1), Kept, routes),
		index(ExamHistories, keys("exam", 1, "user", 1), Kept, routes),
		index(UserJourneys, keys("updatedAt", -1), Kept, routes),
		index(Notifications, keys("createdAt", -1), Kept, routes),
		index(jobs, keys("nextRunAt", -1, "lastRunAt", -1, "lastFinishedAt", -1), Kept, agendash),
		index(jobs, keys("name", 1, "nextRunAt", -1, "lastRunAt", -1, "lastFinishedAt", -1), Kept, agendash),
	}
}
