package reportsmongo

import (
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/reports"
	"github.com/etrainer/backend/api/internal/web"
)

// read takes what it can: a report that somebody edited by hand is shown with
// what is left of it. Reports of earlier releases have no accuracy and no
// lesson types.
func read(raw bson.Raw) reports.Report {
	r := reports.Report{LessonTypes: []reports.LessonType{}, Skipped: map[string]int64{}, Unreadable: []string{}}
	r.Week, _ = raw.Lookup("_id").StringValueOK()
	r.Timezone, _ = raw.Lookup("timezone").StringValueOK()
	unreadable := func(key string, ok bool) {
		if !ok {
			r.Unreadable = append(r.Unreadable, key)
		}
	}
	for _, field := range []struct {
		key string
		to  *int64
	}{
		{"newUsers", &r.NewUsers},
		{"examsCompleted", &r.ExamsCompleted},
		{"practiceCompleted", &r.PracticeCompleted},
		{"activeUsers", &r.ActiveUsers},
	} {
		unreadable(field.key, count(raw.Lookup(field.key), field.to))
	}
	for _, field := range []struct {
		key string
		to  *web.Instant
	}{{"from", &r.From}, {"to", &r.To}, {"generatedAt", &r.GeneratedAt}} {
		t, ok := raw.Lookup(field.key).TimeOK()
		unreadable(field.key, ok)
		if ok {
			*field.to = web.Instant(t)
		}
	}
	unreadable("examAccuracy", percentage(raw.Lookup("examAccuracy"), &r.ExamAccuracy))
	unreadable("practiceAccuracy", percentage(raw.Lookup("practiceAccuracy"), &r.PracticeAccuracy))
	unreadable("lessonTypes", lessonTypes(raw.Lookup("lessonTypes"), &r.LessonTypes))
	unreadable("skipped", skipped(raw.Lookup("skipped"), r.Skipped))
	return r
}

func count(value bson.RawValue, to *int64) bool {
	n, ok := value.AsInt64OK()
	if !ok || n < 0 {
		return false
	}
	*to = n
	return true
}

func absent(value bson.RawValue) bool { return value.Type == 0 || value.Type == bson.TypeNull }

func percentage(value bson.RawValue, to **float64) bool {
	if absent(value) {
		return true
	}
	f, ok := value.AsFloat64OK()
	if !ok || math.IsNaN(f) || f < 0 || f > 100 {
		return false
	}
	*to = &f
	return true
}

func lessonTypes(value bson.RawValue, to *[]reports.LessonType) bool {
	if absent(value) {
		return true
	}
	array, ok := value.ArrayOK()
	if !ok {
		return false
	}
	elements, err := array.Values()
	if err != nil {
		return false
	}
	whole := true
	for _, element := range elements {
		object, isObject := element.DocumentOK()
		name, isText := object.Lookup("type").StringValueOK()
		of := reports.LessonType{Type: name}
		if !isObject || !isText || !count(object.Lookup("practices"), &of.Practices) || !count(object.Lookup("questions"), &of.Questions) ||
			!count(object.Lookup("correctAnswers"), &of.CorrectAnswers) || !percentage(object.Lookup("accuracy"), &of.Accuracy) {
			whole = false
			continue
		}
		*to = append(*to, of)
	}
	return whole
}

func skipped(value bson.RawValue, to map[string]int64) bool {
	if absent(value) {
		return true
	}
	object, ok := value.DocumentOK()
	elements, err := object.Elements()
	if !ok || err != nil {
		return false
	}
	whole := true
	for _, element := range elements {
		var n int64
		if whole = count(element.Value(), &n) && whole; n > 0 {
			to[element.Key()] = n
		}
	}
	return whole
}
