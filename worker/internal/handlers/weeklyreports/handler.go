package weeklyreports

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/runner"
)

// Report is one week in numbers. The first five keys are those of the Node
// backend's result.
type Report struct {
	Week              string       `json:"week"`           // date of the Monday, YYYY-MM-DD, local
	NewUsers          int64        `json:"newUsers"`       // accounts created in the week
	ExamsCompleted    int64        `json:"examsCompleted"` // exams finished in the week
	ActiveUsers       int64        `json:"activeUsers"`    // users who finished an exam or a practice in the week
	GeneratedAt       time.Time    `json:"generatedAt"`
	PracticeCompleted int64        `json:"practiceCompleted"` // practices finished in the week
	ExamAccuracy      *float64     `json:"examAccuracy"`      // right answers to a hundred questions; null without any
	PracticeAccuracy  *float64     `json:"practiceAccuracy"`
	LessonTypes       []LessonType `json:"lessonTypes"` // what was practised, in the order of the app
	From              time.Time    `json:"from"`        // inclusive
	To                time.Time    `json:"to"`          // exclusive
	Timezone          string       `json:"timezone"`
	// Skipped counts, by reason, what could not be counted or not be told apart.
	Skipped map[string]int64 `json:"skipped"`
}

// LessonType is the practices of one type.
type LessonType struct {
	Type           string   `json:"type"`
	Practices      int64    `json:"practices"`
	Questions      int64    `json:"questions"`
	CorrectAnswers int64    `json:"correctAnswers"`
	Accuracy       *float64 `json:"accuracy"`
}

// Result is an exam or a practice that a user finished.
type Result struct {
	LessonType         string // of a practice; "" = it cannot be read
	Questions, Correct int64
	// Readable reports that Questions and Correct are numbers that can be true.
	Readable bool
	// Nobody's: the field user is no id.
	Nobodys bool
}

// Store is what the job reads and writes. What it calls page is called between
// two pages, and ends the reading with the error that it returns.
type Store interface {
	// NewUsers counts the accounts created within a week.
	NewUsers(ctx context.Context, week Week) (int64, error)
	// Exams and Practices call each with what was finished in it.
	Exams(ctx context.Context, week Week, each func(Result), page func() error) error
	Practices(ctx context.Context, week Week, each func(Result), page func() error) error
	// ActiveUsers counts the different users who finished either.
	ActiveUsers(ctx context.Context, week Week, page func() error) (int64, error)
	// Undated counts, by reason, what belongs to no week because its date
	// cannot be read.
	Undated(ctx context.Context) (map[string]int64, error)
	// Save stores the report of its week in place of an earlier one.
	Save(ctx context.Context, report Report) error
}

// New returns the handler. zone is where weeks begin; now is the clock.
func New(store Store, zone *time.Location, now func() time.Time) runner.Handler {
	return runner.Handle(catalog.WeeklyReports, func(ctx context.Context, j runner.Job[catalog.WeeklyReportsPayload]) (Report, error) {
		week, err := weekToReport(j.Payload.Week, j.Tick, zone)
		if err != nil {
			return Report{}, runner.Permanent(err)
		}
		report, err := generate(ctx, store, week)
		if err != nil {
			return Report{}, err
		}
		report.GeneratedAt = now().UTC().Truncate(time.Millisecond)
		if err := runner.Heartbeat(ctx); err != nil {
			return Report{}, err
		}
		if err := store.Save(ctx, report); err != nil {
			return Report{}, fmt.Errorf("save the report of week %s: %w", report.Week, err)
		}
		runner.Progress(ctx, 100, "report stored")
		return report, nil
	})
}

func generate(ctx context.Context, store Store, week Week) (Report, error) {
	report := Report{
		Week: week.Key(), From: week.From.UTC(), To: week.To.UTC(), Timezone: week.From.Location().String(),
		LessonTypes: []LessonType{}, Skipped: map[string]int64{},
	}
	log := runner.Logger(ctx)
	log.InfoContext(ctx, "counting the week", slog.String("week", report.Week),
		slog.Time("from", report.From), slog.Time("to", report.To))
	page := func() error { return runner.Heartbeat(ctx) }
	exams, practices := newTotals("exam", report.Skipped), newTotals("practice", report.Skipped)
	steps := []struct {
		name  string
		count func() (int64, error)
	}{
		{"new users", func() (n int64, err error) {
			report.NewUsers, err = store.NewUsers(ctx, week)
			return report.NewUsers, err
		}},
		{"completed exams", func() (int64, error) {
			err := store.Exams(ctx, week, exams.add, page)
			report.ExamsCompleted, report.ExamAccuracy = exams.count, exams.accuracy()
			return exams.count, err
		}},
		{"completed practices", func() (int64, error) {
			err := store.Practices(ctx, week, practices.addTyped, page)
			report.PracticeCompleted, report.PracticeAccuracy = practices.count, practices.accuracy()
			report.LessonTypes = practices.lessonTypes()
			return practices.count, err
		}},
		{"active users", func() (n int64, err error) {
			report.ActiveUsers, err = store.ActiveUsers(ctx, week, page)
			return report.ActiveUsers, err
		}},
		{"rows without a date", func() (total int64, err error) {
			undated, err := store.Undated(ctx)
			for reason, n := range undated {
				skip(report.Skipped, reason, n)
				total += n
			}
			return total, err
		}},
	}
	for i, step := range steps {
		if err := page(); err != nil {
			return Report{}, err
		}
		n, err := step.count()
		if err != nil {
			return Report{}, fmt.Errorf("count %s of week %s: %w", step.name, report.Week, err)
		}
		log.InfoContext(ctx, "counted", slog.String("what", step.name), slog.Int64("count", n))
		runner.Progress(ctx, float64(i+1)*90/float64(len(steps)), "counted "+step.name)
	}
	return report, nil
}
