package jobs

import (
	"context"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
)

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
