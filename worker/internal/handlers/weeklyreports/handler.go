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
	Week              string    `json:"week"`           // date of the Monday, YYYY-MM-DD, local
	NewUsers          int64     `json:"newUsers"`       // accounts created in the week
	ExamsCompleted    int64     `json:"examsCompleted"` // exams finished in the week
	ActiveUsers       int64     `json:"activeUsers"`    // users who finished an exam or a practice in the week
	GeneratedAt       time.Time `json:"generatedAt"`
	PracticeCompleted int64     `json:"practiceCompleted"` // practices finished in the week
	From              time.Time `json:"from"`              // inclusive
	To                time.Time `json:"to"`                // exclusive
	Timezone          string    `json:"timezone"`
}

// Store is what the job reads and writes.
type Store interface {
	// NewUsers counts the accounts created within a week.
	NewUsers(ctx context.Context, week Week) (int64, error)
	// ExamsCompleted and PracticeCompleted count what was finished in it.
	ExamsCompleted(ctx context.Context, week Week) (int64, error)
	PracticeCompleted(ctx context.Context, week Week) (int64, error)
	// ActiveUsers counts the different users who finished either.
	ActiveUsers(ctx context.Context, week Week) (int64, error)
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
	}
	log := runner.Logger(ctx)
	log.InfoContext(ctx, "counting the week", slog.String("week", report.Week),
		slog.Time("from", report.From), slog.Time("to", report.To))
	steps := []struct {
		name   string
		count  func(context.Context, Week) (int64, error)
		result *int64
	}{
		{"new users", store.NewUsers, &report.NewUsers},
		{"completed exams", store.ExamsCompleted, &report.ExamsCompleted},
		{"completed practices", store.PracticeCompleted, &report.PracticeCompleted},
		{"active users", store.ActiveUsers, &report.ActiveUsers},
	}
	for i, step := range steps {
		n, err := step.count(ctx, week)
		if err != nil {
			return Report{}, fmt.Errorf("count %s of week %s: %w", step.name, report.Week, err)
		}
		*step.result = n
		log.InfoContext(ctx, "counted", slog.String("what", step.name), slog.Int64("count", n))
		runner.Progress(ctx, float64(i+1)*90/float64(len(steps)), "counted "+step.name)
	}
	return report, nil
}
