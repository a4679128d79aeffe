package jobs

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// shownTicks is how many of the next ticks a schedule is shown with.
const shownTicks = 5

// scheduleView is when a recurring job runs, and what it did last.
type scheduleView struct {
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Interval    string        `json:"interval"` // in force
	Timezone    string        `json:"timezone"` // in force
	Words       *string       `json:"words"`
	Default     scheduleTimes `json:"default"`    // as the program says
	Overridden  bool          `json:"overridden"` // an operator set something
	Enabled     bool          `json:"enabled"`    // false: it has no ticks
	Paused      bool          `json:"paused"`     // true: nothing of the name runs, asked for by hand or not
	Next        []web.Instant `json:"next"`       // the next ticks; none while it is not enabled
	ChangedBy   *string       `json:"changedBy"`
	ChangedAt   web.Instant   `json:"changedAt"`
	Problem     *string       `json:"problem"` // why what is stored is not used
	Last        *lastRun      `json:"last"`    // null before a worker has armed it
}

type scheduleTimes struct {
	Interval string `json:"interval"`
	Timezone string `json:"timezone"`
}

// lastRun is what the recurring job's document tells.
type lastRun struct {
	JobID      string      `json:"jobId"`
	NextRunAt  web.Instant `json:"nextRunAt"` // as workers planned it
	StartedAt  web.Instant `json:"startedAt"`
	FinishedAt web.Instant `json:"finishedAt"`
	FailedAt   web.Instant `json:"failedAt"`
	FailReason *string     `json:"failReason"`
	Running    bool        `json:"running"`
}

type schedulesReply struct {
	Data []scheduleView `json:"data"`
	// Problems are recurring jobs in the database, also of names that only a
	// Node process knows, whose stored schedule is not read as it stands.
	Problems []scheduleProblem `json:"problems"`
}

// scheduleProblem is a stored schedule that has one.
type scheduleProblem struct {
	JobID          string      `json:"jobId"`
	Name           string      `json:"name"`
	RepeatInterval *string     `json:"repeatInterval"`
	RepeatAt       *string     `json:"repeatAt"`
	RepeatTimezone *string     `json:"repeatTimezone"`
	NextRunAt      web.Instant `json:"nextRunAt"` // null: it does not run any more
	Problem        string      `json:"problem"`
}

type timesReply struct {
	Message  string       `json:"message"`
	Schedule scheduleView `json:"schedule"`
}

// schedules lists the recurring jobs of the catalog.
func (h *Handler) schedules(c *gin.Context) error {
	views, err := h.viewSchedules(c.Request.Context(), h.catalog.Recurring())
	if err != nil {
		return err
	}
	bad, err := h.store.BadSchedules(c.Request.Context())
	if err != nil {
		return err
	}
	reply := schedulesReply{Data: views, Problems: make([]scheduleProblem, len(bad))}
	for i, b := range bad {
		reply.Problems[i] = scheduleProblem{
			JobID: b.Job.ID.Hex(), Name: b.Job.Name, RepeatInterval: textOrNull(b.Job.RepeatInterval), RepeatAt: textOrNull(b.Job.RepeatAt),
			RepeatTimezone: textOrNull(b.Job.RepeatTimezone), NextRunAt: web.Instant(b.Job.NextRunAt), Problem: b.Problem.Error(),
		}
	}
	return web.JSON(c, http.StatusOK, reply)
}

// getSchedule shows one of them.
func (h *Handler) getSchedule(c *gin.Context) error {
	definition, err := h.recurring(c)
	if err != nil {
		return err
	}
	return h.replySchedule(c, "Schedule retrieved", definition)
}

// recurring is the job that the path names.
func (h *Handler) recurring(c *gin.Context) (catalog.Definition, error) {
	name := c.Param("name")
	definition, known := h.catalog.Lookup(name)
	if known && definition.Repeat.Interval != "" {
		return definition, nil
	}
	var names []string
	for _, d := range h.catalog.Recurring() {
		names = append(names, d.Name)
	}
	return definition, web.Title("Schedule not found",
		errs.Newf(errs.NotFound, "name %q is no recurring job; use one of: %s", errs.Shorten(name), strings.Join(names, ", ")))
}

func (h *Handler) replySchedule(c *gin.Context, message string, definition catalog.Definition) error {
	views, err := h.viewSchedules(c.Request.Context(), []catalog.Definition{definition})
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, timesReply{Message: message, Schedule: views[0]})
}

func (h *Handler) viewSchedules(ctx context.Context, definitions []catalog.Definition) ([]scheduleView, error) {
	settings, err := h.store.Settings(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(definitions))
	for i, d := range definitions {
		names[i] = d.Name
	}
	armed, err := h.store.Singles(ctx, names...)
	if err != nil {
		return nil, err
	}
	views := make([]scheduleView, len(definitions))
	for i, d := range definitions {
		views[i] = h.viewSchedule(d, settings[d.Name], armed[d.Name])
	}
	return views, nil
}

// viewSchedule shows what is in force: where what is stored cannot be used, the
// schedule that stands on the job.
func (h *Handler) viewSchedule(d catalog.Definition, settings job.Settings, document *job.Document) scheduleView {
	view := scheduleView{
		Name: d.Name, Description: d.Description, Default: scheduleTimes{d.Repeat.Interval, d.Repeat.Timezone},
		Enabled: true, Paused: settings.Paused, Next: []web.Instant{}, Last: viewLast(document),
	}
	spec, err := d.Schedule(settings.Schedule, h.store.Now())
	if err != nil && document != nil {
		spec = document.Spec()
	}
	view.Problem = problemOf(err, document)
	if document != nil {
		view.Enabled = !document.Disabled
	}
	if o := settings.Schedule; o != nil {
		view.Overridden = o.Interval != "" || o.Timezone != "" || o.Problem != "" || o.Enabled != nil && !*o.Enabled
		view.ChangedBy, view.ChangedAt = textOrNull(o.ChangedBy), web.Instant(o.ChangedAt)
		if o.Enabled != nil {
			view.Enabled = *o.Enabled
		}
	}
	view.Interval, view.Timezone = spec.Interval, spec.Timezone
	parsed, _ := schedule.ParseStored(spec, h.zone)
	if parsed == nil {
		return view
	}
	view.Words = textOrNull(parsed.Describe())
	if view.Enabled {
		for _, tick := range parsed.NextN(h.store.Now(), shownTicks) {
			view.Next = append(view.Next, web.Instant(tick))
		}
	}
	return view
}

// problemOf is what is wrong with the settings, and with what is stored on the
// job until a worker puts that right.
func problemOf(settings error, document *job.Document) *string {
	if settings != nil {
		return textOrNull(settings.Error())
	}
	if document == nil {
		return nil
	}
	if _, stored := document.Schedule(nil); stored != nil {
		return textOrNull(stored.Error())
	}
	return nil
}

func viewLast(d *job.Document) *lastRun {
	if d == nil {
		return nil
	}
	return &lastRun{
		JobID: d.ID.Hex(), NextRunAt: web.Instant(d.NextRunAt), StartedAt: web.Instant(d.LastRunAt), FinishedAt: web.Instant(d.LastFinishedAt),
		FailedAt: web.Instant(d.FailedAt), FailReason: textOrNull(d.FailReason), Running: !d.LockedAt.IsZero(),
	}
}
