package reports

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

const (
	defaultList = 26
	maxList     = 520
	// charted is how many weeks the page shows, the last of them its own.
	charted = 12
)

// Handler answers the routes.
type Handler struct{ store Store }

// NewHandler returns a Handler.
func NewHandler(store Store) *Handler { return &Handler{store: store} }

// Routes adds the routes to /api/system/reports. The caller puts the check for
// administrators before them.
func (h *Handler) Routes(group *gin.RouterGroup) {
	const title = "Failed to get reports"
	group.GET("", web.Handle(title, h.list))
	group.GET("/:week", web.Handle(title, h.get))
}

type listReply struct {
	Data []Report `json:"data"`
}

// list answers the newest reports, newest first. Query: limit.
func (h *Handler) list(c *gin.Context) error {
	limit, err := web.Limit(c, defaultList, maxList)
	if err != nil {
		return err
	}
	found, err := h.store.List(c.Request.Context(), "", limit)
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, listReply{Data: found})
}

type reportReply struct {
	Report   Report  `json:"report"`
	Previous *Report `json:"previous"` // of the week before; null when there is none
	Change   *change `json:"change"`   // against the week before
}

// change is week over week: of counts in percent, null where the week before
// has nothing; of an accuracy in points, null where either week has none.
type change struct {
	NewUsers          *float64 `json:"newUsers"`
	ExamsCompleted    *float64 `json:"examsCompleted"`
	PracticeCompleted *float64 `json:"practiceCompleted"`
	ActiveUsers       *float64 `json:"activeUsers"`
	ExamAccuracy      *float64 `json:"examAccuracy"`
	PracticeAccuracy  *float64 `json:"practiceAccuracy"`
	// LessonTypes is the change of the practices of each type that either week
	// has, in percent.
	LessonTypes map[string]*float64 `json:"lessonTypes"`
}

// get answers one report: /2025-08-04, /2025-08-04.csv or /2025-08-04.html. Any
// day of the week names it.
func (h *Handler) get(c *gin.Context) error {
	text, form, _ := strings.Cut(c.Param("week"), ".")
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return errs.Invalid("week", "the week is not a date; write it as YYYY-MM-DD, for example 2025-08-04")
	}
	week := monday(day)
	switch form {
	case "", "json", "csv", "html":
	default:
		return errs.Invalid("week", "a report has no such form; use .json, .csv or .html")
	}
	report, err := h.store.Get(c.Request.Context(), week)
	if errors.Is(err, ErrNotFound) {
		return web.Title("Report not found", errs.Newf(errs.NotFound,
			"there is no report of the week of %s; make it with the job \"generate weekly reports\" and {\"week\": %q}", week, week))
	}
	if err != nil {
		return err
	}
	weeks, err := h.store.List(c.Request.Context(), week, charted)
	if err != nil {
		return err
	}
	switch form {
	case "csv":
		return table(c, report)
	case "html":
		return page(c, report, previousOf(report, weeks), weeks)
	default:
		reply := reportReply{Report: report, Previous: previousOf(report, weeks)}
		if reply.Previous != nil {
			reply.Change = changeOf(report, *reply.Previous)
		}
		return web.JSON(c, http.StatusOK, reply)
	}
}

// previousOf is the report of exactly the week before.
func previousOf(report Report, weeks []Report) *Report {
	day, err := time.Parse(time.DateOnly, report.Week)
	if err != nil {
		return nil
	}
	for i := range weeks {
		if weeks[i].Week == day.AddDate(0, 0, -7).Format(time.DateOnly) {
			return &weeks[i]
		}
	}
	return nil
}

func changeOf(now, before Report) *change {
	c := &change{
		NewUsers: percent(now.NewUsers, before.NewUsers), ExamsCompleted: percent(now.ExamsCompleted, before.ExamsCompleted),
		PracticeCompleted: percent(now.PracticeCompleted, before.PracticeCompleted), ActiveUsers: percent(now.ActiveUsers, before.ActiveUsers),
		ExamAccuracy: points(now.ExamAccuracy, before.ExamAccuracy), PracticeAccuracy: points(now.PracticeAccuracy, before.PracticeAccuracy),
		LessonTypes: map[string]*float64{},
	}
	for _, of := range slices.Concat(now.LessonTypes, before.LessonTypes) {
		c.LessonTypes[of.Type] = percent(now.lessonType(of.Type).Practices, before.lessonType(of.Type).Practices)
	}
	return c
}

func points(now, before *float64) *float64 {
	if now == nil || before == nil {
		return nil
	}
	return new(math.Round((*now-*before)*100) / 100)
}

func percent(now, before int64) *float64 {
	if before == 0 {
		return nil
	}
	return new(float64(now-before) * 100 / float64(before))
}
