package jobs

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
)

// nameView is what is known of one job name.
type nameView struct {
	Name        string      `json:"name"`
	Description *string     `json:"description"` // null for names that are not ours
	Repeat      *string     `json:"repeat"`      // the schedule that workers keep, null when it is not recurring
	Workers     []worker    `json:"workers"`     // live instances that can run it
	Paused      bool        `json:"paused"`
	Concurrency int         `json:"concurrency"` // at once over all workers; 0 = no limit
	ChangedBy   *string     `json:"changedBy"`
	ChangedAt   web.Instant `json:"changedAt"`
	Problems    []string    `json:"problems"` // settings that cannot be read, in sentences
}

type worker struct {
	ID    string `json:"id"`
	Limit int    `json:"limit"` // at once in this process
}

type namesReply struct {
	Data []nameView `json:"data"`
}

// names lists the names of the catalog, those that live workers announce, and
// those that have settings.
func (h *Handler) names(c *gin.Context) error {
	known, err := h.known(c.Request.Context())
	if err != nil {
		return err
	}
	reply := namesReply{Data: []nameView{}}
	for _, view := range known {
		reply.Data = append(reply.Data, *view)
	}
	slices.SortFunc(reply.Data, func(a, b nameView) int { return strings.Compare(a.Name, b.Name) })
	return web.JSON(c, http.StatusOK, reply)
}

func (h *Handler) known(ctx context.Context) (map[string]*nameView, error) {
	instances, err := h.fleet.Instances(ctx)
	if err != nil {
		return nil, err
	}
	settings, err := h.store.Settings(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]*nameView{}
	view := func(name string) *nameView {
		if known[name] == nil {
			known[name] = &nameView{Name: name, Workers: []worker{}, Problems: []string{}}
		}
		return known[name]
	}
	for _, name := range h.catalog.Names() {
		definition, _ := h.catalog.Lookup(name)
		v := view(name)
		v.Description = textOrNull(definition.Description)
		v.Repeat, _ = h.repeat(&job.Document{RepeatInterval: definition.Repeat.Interval, RepeatTimezone: definition.Repeat.Timezone})
	}
	for _, instance := range live(instances, h.store.Now()) {
		for name, limit := range instance.Names {
			v := view(name)
			v.Workers = append(v.Workers, worker{ID: instance.ID, Limit: limit})
		}
	}
	for name, s := range settings {
		v := view(name)
		v.Paused, v.Concurrency = s.Paused, s.Concurrency
		v.ChangedBy, v.ChangedAt = textOrNull(s.ChangedBy), web.Instant(s.ChangedAt)
		v.Problems = append(v.Problems, s.Problems...)
		if s.Schedule != nil && s.Schedule.Problem != "" {
			v.Problems = append(v.Problems, s.Schedule.Problem)
		}
	}
	return known, nil
}

// pause stops the leasing of a name in every worker. Runs that are going on
// end normally.
func (h *Handler) pause(c *gin.Context) error {
	return h.settle(c, "Job name paused", h.client.Pause)
}

// resume lets a paused name go on.
func (h *Handler) resume(c *gin.Context) error {
	return h.settle(c, "Job name resumed", h.client.Resume)
}

type nameReply struct {
	Message string `json:"message"`
	Name    string `json:"name"`
}

func (h *Handler) settle(c *gin.Context, message string, change func(ctx context.Context, name, by string) error) error {
	ctx, name := c.Request.Context(), c.Param("name")
	known, err := h.known(ctx)
	if err != nil {
		return err
	}
	if known[name] == nil {
		names := make([]string, 0, len(known))
		for other := range known {
			names = append(names, other)
		}
		slices.Sort(names)
		return web.Title("Job name not found", errs.Newf(errs.NotFound, "name %q is unknown; use one of: %s", errs.Shorten(name), strings.Join(names, ", ")))
	}
	if err := change(ctx, name, actor(c)); err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, nameReply{Message: message, Name: name})
}
