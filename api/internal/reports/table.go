package reports

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/schema"
)

// table answers the report as CSV: one line of values below one of names. The
// columns are the same for every week, so that weeks can be put together.
func table(c *gin.Context, r Report) error {
	columns := [][2]string{
		{"week", r.Week},
		{"newUsers", number(r.NewUsers)},
		{"examsCompleted", number(r.ExamsCompleted)},
		{"practiceCompleted", number(r.PracticeCompleted)},
		{"activeUsers", number(r.ActiveUsers)},
		{"from", instant(r.From)},
		{"to", instant(r.To)},
		{"timezone", plain(r.Timezone)},
		{"generatedAt", instant(r.GeneratedAt)},
		{"examAccuracy", accuracy(r.ExamAccuracy)},
		{"practiceAccuracy", accuracy(r.PracticeAccuracy)},
	}
	for _, name := range schema.LessonTypes() {
		of := r.lessonType(name)
		columns = append(columns, [2]string{name + " practices", number(of.Practices)}, [2]string{name + " accuracy", accuracy(of.Accuracy)})
	}
	rows := make([][]string, 2)
	for _, column := range columns {
		rows[0], rows[1] = append(rows[0], column[0]), append(rows[1], column[1])
	}
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(rows); err != nil {
		return err
	}
	c.Header("Content-Disposition", `attachment; filename="weekly-report-`+r.Week+`.csv"`)
	c.Data(http.StatusOK, "text/csv; charset=utf-8", text.Bytes())
	return nil
}

// accuracy is empty where there is none: 0 would be every answer wrong.
func accuracy(percent *float64) string {
	if percent == nil {
		return ""
	}
	return strconv.FormatFloat(*percent, 'f', 2, 64)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func instant(t web.Instant) string {
	if time.Time(t).IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format(time.RFC3339)
}

// plain keeps a spreadsheet from reading text as a formula.
func plain(text string) string {
	if strings.ContainsAny(text[:min(len(text), 1)], "=+-@\t\r") {
		return "'" + text
	}
	return text
}
