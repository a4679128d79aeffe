package scale

import (
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/etrainer/backend/pkg/schema"
)

// answers is what makes an exam's result as large as those of real users.
var answers = strings.Repeat("ABCD", 200)

// document appends the n-th document of a collection, which belongs to a user.
func (d *database) document(out []byte, collection string, user, n int) []byte {
	start, out := bsoncore.AppendDocumentStart(out)
	switch collection {
	case schema.Users:
		out = bsoncore.AppendObjectIDElement(out, "_id", idOf(user))
		out = bsoncore.AppendStringElement(out, "email", strconv.Itoa(user)+"@example.com")
		out = token(out, user)
	case schema.Reminders:
		out = bsoncore.AppendObjectIDElement(out, "_id", idOf(user))
		out = bsoncore.AppendObjectIDElement(out, "user", idOf(user))
		out = bsoncore.AppendInt32Element(out, "hour", int32(d.now.Hour()))
		out = bsoncore.AppendInt32Element(out, "minute", int32(d.now.Minute()))
	case schema.UserJourneys:
		out = bsoncore.AppendObjectIDElement(out, "_id", idOf(n))
		out = bsoncore.AppendObjectIDElement(out, "user", idOf(user))
		out = bsoncore.AppendDateTimeElement(out, "completedAt", d.ago(n%30))
	default: // results: practices one a day, exams long ago
		days := n % 10
		if collection == schema.ExamHistories {
			days += 300
		}
		out = bsoncore.AppendObjectIDElement(out, "_id", idOf(n))
		out = bsoncore.AppendObjectIDElement(out, "user", idOf(user))
		out = bsoncore.AppendDateTimeElement(out, "endTime", d.ago(days))
		out = bsoncore.AppendStringElement(out, "lessonType", schema.LessonTypes()[n%8])
		out = bsoncore.AppendInt32Element(out, "totalQuestions", 10)
		out = bsoncore.AppendInt32Element(out, "correctAnswers", int32(n%11))
		if collection == schema.ExamHistories {
			out = bsoncore.AppendDateTimeElement(out, "createdAt", d.ago(days))
			out = bsoncore.AppendStringElement(out, "answers", answers)
		}
	}
	out, _ = bsoncore.AppendDocumentEnd(out, start)
	return out
}

// token: of ten users four have a phone with Firebase's token, five with Expo's,
// and one has none.
func token(out []byte, user int) []byte {
	switch user % 10 {
	case 0:
		return bsoncore.AppendNullElement(out, "fcmToken")
	case 1, 2, 3, 4:
		return bsoncore.AppendStringElement(out, "fcmToken", "fcm-"+strconv.Itoa(user))
	default:
		return bsoncore.AppendStringElement(out, "expoPushToken", "ExponentPushToken["+strconv.Itoa(user)+"]")
	}
}

func (d *database) ago(days int) int64 {
	return int64(bson.NewDateTimeFromTime(d.now.Add(-time.Duration(days) * 24 * time.Hour)))
}
