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
	return web.JSON(c, http.StatusOK, schedulesReply{Data: views})
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
		errs.Newf(errs.NotFound, "name %q is no recurring job; use one of: %s", shorten(name), strings.Join(names, ", ")))
}

// timesBody is what can be set. null and absent stand for what the program
// says, or in a PATCH absent for what was set before.
type timesBody struct {
	Interval *string `json:"interval"`
	Timezone *string `json:"timezone"`
	Enabled  *bool   `json:"enabled"`
}

// putSchedule replaces what was set.
func (h *Handler) putSchedule(c *gin.Context) error {
	return h.changeSchedule(c, false)
}

// patchSchedule changes the fields that are given.
func (h *Handler) patchSchedule(c *gin.Context) error {
	return h.changeSchedule(c, true)
}

func (h *Handler) changeSchedule(c *gin.Context, keep bool) error {
	definition, err := h.recurring(c)
	if err != nil {
		return err
	}
	body, err := web.Decode[timesBody](c)
	if err != nil {
		return err
	}
	before, err := h.override(c.Request.Context(), definition.Name)
	if err != nil {
		return err
	}
	set := job.ScheduleOverride{}
	switch {
	case keep && before.Problem == "":
		set = before
	case before.Enabled != nil: // absent means on, and the job may be off
		set.Enabled = new(true)
	}
	if body.Interval == nil && body.Timezone == nil && body.Enabled == nil {
		return errs.Invalid("interval", "nothing is to be changed; give interval, timezone or enabled, or DELETE to go back to the default")
	}
	body.apply(&set)
	if _, err := definition.Schedule(&set, h.store.Now()); err != nil {
		return errs.Invalid(body.field(), "%s", err)
	}
	return h.storeSchedule(c, definition, &set, "Schedule changed")
}

// field is the one that a refusal is most likely about.
func (b timesBody) field() string {
	if b.Interval == nil {
		return "timezone"
	}
	return "interval"
}

func (b timesBody) apply(set *job.ScheduleOverride) {
	if b.Interval != nil {
		set.Interval = strings.TrimSpace(*b.Interval)
	}
	if b.Timezone != nil {
		set.Timezone = strings.TrimSpace(*b.Timezone)
	}
	if b.Enabled != nil {
		set.Enabled = b.Enabled
	}
}

// deleteSchedule goes back to what the program says. A job that was switched off
// has to be switched on, which the record must say.
func (h *Handler) deleteSchedule(c *gin.Context) error {
	definition, err := h.recurring(c)
	if err != nil {
		return err
	}
	before, err := h.override(c.Request.Context(), definition.Name)
	if err != nil {
		return err
	}
	set := &job.ScheduleOverride{} // empty, and yet it says who changed it and when
	if before.Enabled != nil {
		set.Enabled = new(true)
	}
	return h.storeSchedule(c, definition, set, "Schedule is the default again")
}

func (h *Handler) override(ctx context.Context, name string) (job.ScheduleOverride, error) {
	settings, err := h.store.Settings(ctx)
	if err != nil || settings[name].Schedule == nil {
		return job.ScheduleOverride{}, err
	}
	return *settings[name].Schedule, nil
}

func (h *Handler) storeSchedule(c *gin.Context, definition catalog.Definition, set *job.ScheduleOverride, message string) error {
	set.ChangedBy = actor(c)
	if err := h.client.ChangeSchedule(c.Request.Context(), definition.Name, set); err != nil {
		return err
	}
	return h.replySchedule(c, message, definition)
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
	documents, err := h.store.Recurring(ctx)
	if err != nil {
		return nil, err
	}
	armed := map[string]*job.Document{}
	for _, document := range documents {
		if document.Type == job.Single && armed[document.Name] == nil {
			armed[document.Name] = document
		}
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
	if err != nil {
		view.Problem = textOrNull(err.Error())
		if document != nil {
			spec = schedule.Spec{Interval: document.RepeatInterval, Timezone: document.RepeatTimezone}
		}
	}
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
	parsed, err := schedule.Parse(spec, h.zone)
	if err != nil {
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

func viewLast(d *job.Document) *lastRun {
	if d == nil {
		return nil
	}
	return &lastRun{
		JobID: d.ID.Hex(), NextRunAt: web.Instant(d.NextRunAt), StartedAt: web.Instant(d.LastRunAt), FinishedAt: web.Instant(d.LastFinishedAt),
		FailedAt: web.Instant(d.FailedAt), FailReason: textOrNull(d.FailReason), Running: !d.LockedAt.IsZero(),
	}
}
