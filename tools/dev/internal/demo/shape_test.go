package demo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// shape is a document: its fields in order, each with what it may hold.
type shape []field

type field struct {
	name string
	kind kind
}

// kind checks one value and says what is wrong with it, or "".
type kind func(v bson.RawValue) string

func typed(types ...bson.Type) kind {
	return func(v bson.RawValue) string {
		if slices.Contains(types, v.Type) {
			return ""
		}

		return fmt.Sprintf("is a %s, want %v", v.Type, types)
	}
}

var (
	id      = typed(bson.TypeObjectID)
	text    = typed(bson.TypeString)
	textN   = typed(bson.TypeString, bson.TypeNull)
	boolean = typed(bson.TypeBoolean)
	date    = typed(bson.TypeDateTime)
	dateN   = typed(bson.TypeDateTime, bson.TypeNull)
	null    = typed(bson.TypeNull)
	whole   = typed(bson.TypeInt32)
	wholeN  = typed(bson.TypeInt32, bson.TypeNull)
)

// number is what a JavaScript number becomes: a double only if it must.
func number(v bson.RawValue) string {
	if f, ok := v.DoubleOK(); ok && f == float64(int64(f)) {
		return fmt.Sprintf("is the double %v, want an int32", f)
	}

	return typed(bson.TypeInt32, bson.TypeDouble)(v)
}

func oneOf(values ...string) kind {
	return func(v bson.RawValue) string {
		s, ok := v.StringValueOK()
		for _, want := range values {
			if ok && s == want {
				return ""
			}
		}

		return fmt.Sprintf("is %s, want one of %v", v, values)
	}
}

func document(s shape) kind {
	return func(v bson.RawValue) string {
		d, ok := v.DocumentOK()
		if !ok {
			return fmt.Sprintf("is a %s, want a document", v.Type)
		}

		return s.check(d)
	}
}

func list(of kind) kind {
	return func(v bson.RawValue) string {
		a, ok := v.ArrayOK()
		if !ok {
			return fmt.Sprintf("is a %s, want an array", v.Type)
		}

		values, err := a.Values()
		if err != nil {
			return err.Error()
		}

		for i, v := range values {
			if fault := of(v); fault != "" {
				return fmt.Sprintf("[%d] %s", i, fault)
			}
		}

		return ""
	}
}

func orNull(of kind) kind {
	return func(v bson.RawValue) string {
		if v.Type == bson.TypeNull {
			return ""
		}

		return of(v)
	}
}

// check says what is wrong with a document, or "".
func (s shape) check(d bson.Raw) string {
	elements, err := d.Elements()
	if err != nil {
		return err.Error()
	}

	var names, want []string
	for _, e := range elements {
		names = append(names, e.Key())
	}

	for _, f := range s {
		want = append(want, f.name)
	}

	if got, want := strings.Join(names, " "), strings.Join(want, " "); got != want {
		return fmt.Sprintf("has the fields\n  %s\nwant\n  %s", got, want)
	}

	for i, e := range elements {
		if fault := s[i].kind(e.Value()); fault != "" {
			return e.Key() + " " + fault
		}
	}

	return ""
}

var (
	lessonType = oneOf("IMAGE_DESCRIPTION", "ASK_AND_ANSWER", "CONVERSATION_PIECE", "SHORT_TALK",
		"FILL_IN_THE_BLANK_QUESTION", "FILL_IN_THE_PARAGRAPH", "READ_AND_UNDERSTAND", "STAGE_FINAL_TEST")
	media   = document(shape{{"name", text}, {"url", text}})
	answers = list(document(shape{{"answer", text}, {"isCorrect", boolean}, {"_id", id}}))
	subs    = list(document(shape{{"question", text}, {"answers", answers}, {"_id", id}}))
	content = shape{
		{"question", textN},
		{"audio", orNull(media)},
		{"imageUrl", textN},
		{"answers", orNull(answers)},
		{"questions", orNull(subs)},
	}
	journeyDay = document(shape{
		{"dayNumber", whole},
		{"started", boolean},
		{"completed", boolean},
		{"startedAt", dateN},
		{"completedAt", dateN},
		{"score", wholeN},
		{"questions", list(id)},
		{"_id", id},
	})
	finalTest = document(shape{
		{"unlocked", boolean},
		{"started", boolean},
		{"completed", boolean},
		{"passed", boolean},
		{"startedAt", dateN},
		{"completedAt", dateN},
		{"score", wholeN},
	})
	journeyStage = document(shape{
		{"stageId", id},
		{"minScore", whole},
		{"targetScore", whole},
		{"days", list(journeyDay)},
		{"finalTest", finalTest},
		{"started", boolean},
		{"startedAt", dateN},
		{"state", oneOf("NOT_STARTED", "IN_PROGRESS", "COMPLETED", "SKIPPED")},
		{"completedAt", dateN},
		{"_id", id},
	})
)

// stored is a model's document: _id in front, the timestamps and __v behind.
func stored(fields ...field) shape {
	return append(append(shape{{"_id", id}}, fields...),
		field{"createdAt", date}, field{"updatedAt", date}, field{"__v", whole})
}

// models are the collections of the Node backend, field by field.
var models = map[string]shape{
	"users": stored(
		field{"name", text}, field{"email", text}, field{"phone", textN}, field{"password", textN},
		field{"avatarUrl", textN}, field{"dateOfBirth", textN}, field{"level", whole},
		field{"role", oneOf("USER", "ADMIN")}, field{"gender", oneOf("MALE", "FEMALE", "OTHER")},
		field{"registrationMethod", oneOf("GOOGLE", "EMAIL")},
		// No tokens: the demo must not make jobs call Expo or Google.
		field{"expoPushToken", null}, field{"fcmToken", null},
		field{"deviceInfo", document(shape{{"deviceId", textN}, {"platform", textN}, {"appVersion", textN}})},
	),
	"reminders":     stored(field{"user", id}, field{"hour", whole}, field{"minute", whole}),
	"notifications": stored(field{"title", text}, field{"message", text}, field{"user", id}, field{"isRead", boolean}),
	"practicehistories": stored(
		field{"user", id}, field{"startTime", date}, field{"endTime", date}, field{"lessonType", lessonType},
		field{"totalQuestions", whole}, field{"correctAnswers", whole}, field{"accuracyRate", number},
		field{"questionAnswers", list(document(nil))},
	),
	"examhistories": stored(
		field{"user", id}, field{"startTime", date}, field{"endTime", date},
		field{"totalQuestions", whole}, field{"correctAnswers", whole}, field{"accuracyRate", number},
		field{"sections", list(document(nil))}, field{"exam", document(shape{{"name", text}, {"createdAt", date}})},
	),
	"questions": stored(append(append(shape{{"questionNumber", whole}, {"type", lessonType}}, content...),
		field{"subtitle", textN}, field{"explanation", textN})...),
	"exams": stored(field{"name", text}, field{"duration", whole},
		field{"sections", list(document(shape{{"type", lessonType}, {"questions", list(id)}, {"_id", id}}))}),
	"lessons": stored(field{"type", lessonType},
		field{"questions", list(document(append(append(shape{}, content...), field{"_id", id})))}),
	"grammars": stored(field{"topic", text}, field{"grammars", list(document(shape{
		{"title", text}, {"content", text}, {"examples", list(text)}, {"_id", id},
	}))}),
	"vocabularytopics": stored(field{"topicName", text}, field{"words", list(document(shape{
		{"word", text},
		{"meaning", text},
		{"pronunciation", text},
		{"audio", document(shape{{"url", text}, {"name", text}})},
		{"_id", id},
	}))}),
	"stages": stored(field{"minScore", whole}, field{"targetScore", whole}, field{"days", list(document(shape{
		{"dayNumber", whole}, {"questions", list(id)}, {"exam", id}, {"_id", id},
	}))}),
	"favorite_questions": stored(field{"userId", id}, field{"questionId", id},
		field{"question", textN}, field{"answer", textN}, field{"category", textN}),
	"userjourneys": stored(
		field{"user", id}, field{"stages", list(journeyStage)}, field{"currentStageIndex", whole},
		field{"state", oneOf("NOT_STARTED", "IN_PROGRESS", "COMPLETED", "SKIPPED", "REPLACED")},
		field{"startedAt", date}, field{"completedAt", dateN}, field{"replacedAt", dateN},
	),
}

func TestDocumentsHaveTheShapesOfTheModels(t *testing.T) {
	t.Parallel()

	all := built(t, now)
	if len(all) != len(models) {
		t.Errorf("%d collections, want %d", len(all), len(models))
	}

	for name, model := range models {
		if len(all[name]) == 0 {
			t.Errorf("%s is empty", name)
		}

		for i, d := range all[name] {
			if fault := model.check(d); fault != "" {
				t.Errorf("%s[%d] %s", name, i, fault)
				break
			}
		}
	}
}
