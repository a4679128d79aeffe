package jobs

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	defaultPage, maxPage = 50, 200
	// shownRuns is how many runs a job is shown with, the newest.
	shownRuns = 50
)

type listReply struct {
	Data []jobView `json:"data"`
	Next *string   `json:"next"` // the cursor of the next page; null on the last
}

// list answers a page of jobs, in the order of queue.Page. Query: name
// (repeatable), state (repeatable or with commas), dead, limit, cursor.
func (h *Handler) list(c *gin.Context) error {
	filter, err := readFilter(c)
	if err != nil {
		return err
	}
	page, err := h.store.List(c.Request.Context(), filter)
	if errors.Is(err, queue.ErrCursor) {
		return errs.Invalid("cursor", "cursor %q is not one that a page returned for this list; take it from \"next\", or begin without one", errs.Shorten(filter.Cursor))
	}
	if err != nil {
		return err
	}
	reply := listReply{Data: make([]jobView, len(page.Jobs)), Next: textOrNull(page.Next)}
	for i, document := range page.Jobs {
		reply.Data[i] = h.view(document)
	}
	return web.JSON(c, http.StatusOK, reply)
}

func readFilter(c *gin.Context) (queue.Filter, error) {
	filter := queue.Filter{Names: c.QueryArray("name"), Cursor: c.Query("cursor")}
	if n := len(filter.Names); n > queue.MostNames {
		return queue.Filter{}, errs.Invalid("name", "%d names are given; give %d at the most", n, queue.MostNames)
	}
	for _, text := range c.QueryArray("state") {
		for name := range strings.SplitSeq(text, ",") {
			state := job.State(strings.TrimSpace(name))
			if !state.Known() {
				return queue.Filter{}, errs.Invalid("state", "state %q is unknown; use one of: %s", errs.Shorten(name), knownStates())
			}
			filter.States = append(filter.States, state)
		}
	}
	if text, given := c.GetQuery("dead"); given {
		dead, err := strconv.ParseBool(text)
		if err != nil {
			return queue.Filter{}, errs.Invalid("dead", "dead %q is neither true nor false", errs.Shorten(text))
		}
		filter.Dead = dead
	}
	var err error
	filter.Limit, err = web.Limit(c, defaultPage, maxPage)
	return filter, err
}

func knownStates() string {
	states := job.States()
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	return strings.Join(names, ", ")
}

type detailReply struct {
	Job  jobView   `json:"job"`
	Runs []runView `json:"runs"` // newest first
}

// get answers one job with its newest runs.
func (h *Handler) get(c *gin.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	document, err := h.store.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	runs, err := h.store.Runs(c.Request.Context(), id, shownRuns)
	if err != nil {
		return err
	}
	reply := detailReply{Job: h.view(document), Runs: make([]runView, len(runs))}
	for i, run := range runs {
		reply.Runs[i] = viewRun(run)
	}
	return web.JSON(c, http.StatusOK, reply)
}
