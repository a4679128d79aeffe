package weeklyreports

import (
	"math"
	"slices"

	"github.com/etrainer/backend/pkg/schema"
)

// totals are the sums of one kind of results.
type totals struct {
	kind               string
	count              int64
	questions, correct int64
	byType             map[string]*LessonType
	skipped            map[string]int64
}

func newTotals(kind string, skipped map[string]int64) *totals {
	t := &totals{kind: kind, byType: map[string]*LessonType{}, skipped: skipped}
	for _, name := range schema.LessonTypes() {
		t.byType[name] = &LessonType{Type: name}
	}
	return t
}

// add counts a result. One whose numbers cannot be read was finished all the
// same: it counts, and not for the accuracy.
func (t *totals) add(r Result) {
	t.count++
	if r.Nobodys {
		skip(t.skipped, t.kind+" not counted as anybody's activity: user is not an id", 1)
	}
	if !r.Readable {
		skip(t.skipped, t.kind+" not counted for the accuracy: totalQuestions and correctAnswers cannot be right", 1)
		return
	}
	t.questions += r.Questions
	t.correct += r.Correct
}

// addTyped counts a practice for its lesson type as well. Types that the app
// does not have are counted together, however many somebody makes up.
func (t *totals) addTyped(r Result) {
	t.add(r)
	of, known := t.byType[r.LessonType]
	if !known {
		skip(t.skipped, t.kind+" not counted for a lesson type: lessonType is none", 1)
		return
	}
	of.Practices++
	if r.Readable {
		of.Questions += r.Questions
		of.CorrectAnswers += r.Correct
	}
}

func (t *totals) accuracy() *float64 { return percent(t.correct, t.questions) }

// lessonTypes are those that were practised.
func (t *totals) lessonTypes() []LessonType {
	out := []LessonType{}
	for _, name := range schema.LessonTypes() {
		of := *t.byType[name]
		of.Accuracy = percent(of.CorrectAnswers, of.Questions)
		out = append(out, of)
	}
	return slices.DeleteFunc(out, func(of LessonType) bool { return of.Practices == 0 })
}

// percent has two decimals, as the app stores an accuracy.
func percent(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	return new(math.Round(float64(part)*10000/float64(whole)) / 100)
}

// skip counts a reason that occurred.
func skip(skipped map[string]int64, reason string, n int64) {
	if n > 0 {
		skipped[reason] += n
	}
}
