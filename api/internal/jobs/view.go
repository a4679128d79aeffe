package jobs

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/job"
)

// jobView is a job as operators see it. Times that are not set are null.
type jobView struct {
	ID        bson.ObjectID `json:"_id"`
	Name      string        `json:"name"`
	Type      job.Type      `json:"type"`
	State     job.State     `json:"state"`
	Dead      bool          `json:"dead"`
	Cancelled bool          `json:"cancelled"`
	Data      any           `json:"data"`
	Priority  float64       `json:"priority"`

	NextRunAt      web.Instant `json:"nextRunAt"`
	LockedAt       web.Instant `json:"lockedAt"`
	LockedBy       *string     `json:"lockedBy"` // the instance that runs it
	LastRunAt      web.Instant `json:"lastRunAt"`
	LastFinishedAt web.Instant `json:"lastFinishedAt"`
	FailedAt       web.Instant `json:"failedAt"`
	FailReason     *string     `json:"failReason"`
	FailCount      int         `json:"failCount"`

	RepeatInterval *string  `json:"repeatInterval"`
	RepeatTimezone *string  `json:"repeatTimezone"`
	RepeatAt       *string  `json:"repeatAt"`
	Repeat         *string  `json:"repeat"`  // the schedule in words
	Problem        *string  `json:"problem"` // what is wrong with the schedule as it is stored
	Disabled       bool     `json:"disabled"`
	Progress       *float64 `json:"progress"`
}

func (h *Handler) view(d *job.Document) jobView {
	view := jobView{
		ID: d.ID, Name: d.Name, Type: d.Type, State: d.State(h.store.Now()),
		Dead: d.Dead(), Cancelled: d.Cancelled(),
		Data: job.PlainValue(d.Data), Priority: d.Priority,
		NextRunAt: web.Instant(d.NextRunAt), LockedAt: web.Instant(d.LockedAt),
		LastRunAt: web.Instant(d.LastRunAt), LastFinishedAt: web.Instant(d.LastFinishedAt),
		FailedAt: web.Instant(d.FailedAt), FailReason: textOrNull(d.FailReason), FailCount: d.FailCount,
		RepeatInterval: textOrNull(d.RepeatInterval), RepeatTimezone: textOrNull(d.RepeatTimezone), RepeatAt: textOrNull(d.RepeatAt),
		Disabled: d.Disabled, Progress: d.Progress,
	}
	view.Repeat, view.Problem = h.repeat(d)
	if !d.LockedAt.IsZero() {
		view.LockedBy = textOrNull(d.LastModifiedBy)
	}
	return view
}

// repeat puts the schedule of a recurring job into words, and what is wrong with
// it; each is nil where there is none.
func (h *Handler) repeat(d *job.Document) (words, problem *string) {
	parsed, err := d.Schedule(h.zone)
	if parsed != nil {
		words = textOrNull(parsed.Describe())
	}
	if err != nil {
		problem = textOrNull(err.Error())
	}
	return words, problem
}

// runView is one run of a job.
type runView struct {
	ID         bson.ObjectID `json:"_id"`
	Tick       web.Instant   `json:"tick"` // the planned time that the run serves
	Attempt    int           `json:"attempt"`
	Worker     string        `json:"worker"`
	StartedAt  web.Instant   `json:"startedAt"`
	FinishedAt web.Instant   `json:"finishedAt"`
	Outcome    job.Outcome   `json:"outcome"`
	Error      *string       `json:"error"`
	Stack      *string       `json:"stack"`
	Result     any           `json:"result"`
	Progress   *progressView `json:"progress"`
	Logs       []logView     `json:"logs"`
	LogsCut    int           `json:"logsCut"` // older lines that were dropped
	DurationMS *int64        `json:"durationMs"`
	PickupMS   int64         `json:"pickupMs"` // due to start
}

type progressView struct {
	Percent float64     `json:"percent"`
	Message string      `json:"message"`
	At      web.Instant `json:"at"`
}

type logView struct {
	At      web.Instant `json:"at"`
	Level   string      `json:"level"`
	Message string      `json:"message"`
}

func viewRun(run job.Run) runView {
	view := runView{
		ID: run.ID, Tick: web.Instant(run.Tick), Attempt: run.Attempt, Worker: run.Worker,
		StartedAt: web.Instant(run.StartedAt), Outcome: run.Outcome,
		Error: textOrNull(run.Error), Stack: textOrNull(run.Stack), Result: job.PlainValue(run.Result),
		Logs: make([]logView, len(run.Logs)), LogsCut: run.LogsCut, PickupMS: run.PickupMS,
	}
	if run.FinishedAt != nil {
		view.FinishedAt = web.Instant(*run.FinishedAt)
		view.DurationMS = &run.DurationMS
	}
	if p := run.Progress; p != nil {
		view.Progress = &progressView{Percent: p.Percent, Message: p.Message, At: web.Instant(p.At)}
	}
	for i, line := range run.Logs {
		view.Logs[i] = logView{At: web.Instant(line.At), Level: line.Level, Message: line.Message}
	}
	return view
}

func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
