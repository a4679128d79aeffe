package schema

// The collections of the Node backend that jobs read and write, named as
// mongoose names them, and those that jobs add.
const (
	ExamHistories     = "examhistories"
	ExamArchive       = "examhistories_archive"
	PracticeHistories = "practicehistories"
	UserJourneys      = "userjourneys"
	Notifications     = "notifications"
	Reminders         = "reminders"
	WeeklyReports     = "weeklyReports"
	Leaderboards      = "leaderboards"
)

// LessonTypes are the values of lessonType in a practice, as the app lists them.
func LessonTypes() []string {
	return []string{
		"IMAGE_DESCRIPTION", "ASK_AND_ANSWER", "CONVERSATION_PIECE", "SHORT_TALK",
		"FILL_IN_THE_BLANK_QUESTION", "FILL_IN_THE_PARAGRAPH", "READ_AND_UNDERSTAND", "STAGE_FINAL_TEST",
	}
}

// Learning is the part of the schema that the business jobs need.
func Learning() []Collection {
	const (
		latest = "latest activity and active days of a user; the same as the Node backend's"
		within = "what was finished within a week; the same as the Node backend's"
	)
	return []Collection{
		{Name: ExamHistories, Holds: "exams that users finished", ShardKey: keys("user", 1), Indexes: []Index{
			{Keys: keys("user", 1, "endTime", -1), Serves: latest},
			{Keys: keys("endTime", -1), Serves: within},
			{Keys: keys("createdAt", 1), Serves: "cleanup: results beyond their retention, oldest first"},
		}},
		{Name: ExamArchive, Holds: "exam results beyond their retention, as they were, with archivedAt", ShardKey: keys("user", 1), Indexes: []Index{
			{Keys: keys("user", 1, "endTime", -1), Serves: "active days of a user: streaks count what was archived"},
			{Keys: keys("endTime", -1), Serves: "the report of a week whose exams are in the archive"},
		}},
		{Name: PracticeHistories, Holds: "practices that users finished", ShardKey: keys("user", 1), Indexes: []Index{
			{Keys: keys("user", 1, "endTime", -1), Serves: latest},
			{Keys: keys("endTime", -1), Serves: within},
			{
				Name: "scores", Keys: keys("user", 1, "endTime", -1, "correctAnswers", 1, "accuracyRate", 1),
				Serves: "leaderboard: the sums of all users, without reading a document",
			},
		}},
		{Name: UserJourneys, Holds: "learning journeys; a user keeps replaced ones", ShardKey: keys("user", 1), Indexes: []Index{
			{Keys: keys("user", 1), Serves: "the journeys of a user"},
		}},
		{Name: Notifications, Holds: "notifications shown in the app", ShardKey: keys("user", 1), Indexes: []Index{
			{Keys: keys("user", 1, "title", 1, "createdAt", -1), Serves: "nudge: whether a user was told the same within a week"},
			{Keys: keys("user", 1, "createdAt", -1), Serves: "the list in the app; the same as the Node backend's"},
		}},
		{Name: Reminders, Holds: "the hour at which a user wants to be reminded", Indexes: []Index{
			{Keys: keys("hour", 1, "minute", 1), Serves: "study reminders: who wants to be reminded now"},
			{Keys: keys("user", 1), Serves: "the reminder of a user"},
		}},
		{Name: WeeklyReports, Holds: "one report for each week; _id is its Monday", Few: "one document for each week"},
		{Name: Leaderboards, Holds: "the last leaderboard, which the api makes anew when it is old", Few: "one document"},
	}
}
