// Package reports shows administrators the weekly reports that the job
// "generate weekly reports" stores: as JSON, as CSV, and as a page with a chart.
package reports

import (
	"context"
	"errors"
	"time"

	"github.com/etrainer/backend/api/internal/web"
)

// Report is one calendar week in numbers.
type Report struct {
	Week              string `json:"week"` // the Monday, YYYY-MM-DD
	NewUsers          int64  `json:"newUsers"`
	ExamsCompleted    int64  `json:"examsCompleted"`
	PracticeCompleted int64  `json:"practiceCompleted"`
	ActiveUsers       int64  `json:"activeUsers"`
	// ExamAccuracy and PracticeAccuracy are right answers to a hundred
	// questions; nil where no question was answered, or nobody counted.
	ExamAccuracy     *float64     `json:"examAccuracy"`
	PracticeAccuracy *float64     `json:"practiceAccuracy"`
	LessonTypes      []LessonType `json:"lessonTypes"` // what was practised
	From             web.Instant  `json:"from"`        // inclusive
	To               web.Instant  `json:"to"`          // exclusive
	Timezone         string       `json:"timezone"`
	GeneratedAt      web.Instant  `json:"generatedAt"`
	// Skipped is what could not be counted, by reason.
	Skipped map[string]int64 `json:"skipped"`
	// Unreadable are keys whose value has a foreign type; numbers count as 0.
	Unreadable []string `json:"unreadable"`
}

// LessonType is the practices of one type in a week.
type LessonType struct {
	Type           string   `json:"type"`
	Practices      int64    `json:"practices"`
	Questions      int64    `json:"questions"`
	CorrectAnswers int64    `json:"correctAnswers"`
	Accuracy       *float64 `json:"accuracy"`
}

// lessonType returns the practices of a type, which may be none.
func (r Report) lessonType(name string) LessonType {
	for _, of := range r.LessonTypes {
		if of.Type == name {
			return of
		}
	}
	return LessonType{Type: name}
}

// ErrNotFound means that there is no report of that week.
var ErrNotFound = errors.New("no such report")

// Store reads reports.
type Store interface {
	// List returns the newest reports up to a week, newest first; upTo "" =
	// all.
	List(ctx context.Context, upTo string, limit int) ([]Report, error)
	// Get returns the report of the week that begins on a date, or ErrNotFound.
	Get(ctx context.Context, week string) (Report, error)
}

// monday is the Monday of a day's week, as a date: it names a report.
func monday(day time.Time) string {
	back := (int(day.Weekday()) + 6) % 7
	return day.AddDate(0, 0, -back).Format(time.DateOnly)
}
