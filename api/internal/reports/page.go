package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

var (
	pageTemplate = template.Must(template.New("page").Parse(pageText))
	// policy allows the page its one style sheet, by its hash, and nothing else.
	policy = "default-src 'none'; style-src 'sha256-" + hashOf(style) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// row is a number of the week beside that of the week before.
type row struct {
	Name            string
	Now             int64
	Before, Percent string // "–" without a week before
}

// bar is one week of the chart, in its units.
type bar struct {
	X, ExamsY, ExamsHeight, PracticeY, PracticeHeight int64
	Week, Label                                       string
	Exams, Practice                                   int64
}

const (
	barStep   = 60
	barHeight = 160
)

// page answers the report as a page: no script, and every value escaped by
// html/template.
func page(c *gin.Context, report Report, previous *Report, weeks []Report) error {
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, map[string]any{
		"Report": report, "Style": template.CSS(style), "Rows": rowsOf(report, previous), "Bars": barsOf(weeks), //nolint:gosec // our own file
		"From": instant(report.From), "To": instant(report.To), "GeneratedAt": instant(report.GeneratedAt),
		"Width": max(len(weeks), 1) * barStep,
	})
	if err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	c.Header("Content-Security-Policy", policy)
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, "text/html; charset=utf-8", text.Bytes())
	return nil
}

func rowsOf(now Report, before *Report) []row {
	rows := []row{
		{Name: "New users", Now: now.NewUsers},
		{Name: "Active users", Now: now.ActiveUsers},
		{Name: "Exams completed", Now: now.ExamsCompleted},
		{Name: "Practices completed", Now: now.PracticeCompleted},
	}
	var then [4]int64
	if before != nil {
		then = [4]int64{before.NewUsers, before.ActiveUsers, before.ExamsCompleted, before.PracticeCompleted}
	}
	for i := range rows {
		rows[i].Before, rows[i].Percent = "–", "–"
		if before == nil {
			continue
		}
		rows[i].Before = number(then[i])
		if p := percent(rows[i].Now, then[i]); p != nil {
			rows[i].Percent = fmt.Sprintf("%+.1f %%", *p)
		}
	}
	return rows
}

// barsOf draws exams and practices side by side, oldest week first.
func barsOf(weeks []Report) []bar {
	most := int64(1)
	for _, w := range weeks {
		most = max(most, w.ExamsCompleted, w.PracticeCompleted)
	}
	height := func(n int64) int64 { return int64(float64(max(n, 0)) / float64(most) * barHeight) }
	bars := make([]bar, 0, len(weeks))
	for i, w := range slices.Backward(weeks) {
		b := bar{
			X: int64(len(weeks)-1-i) * barStep, Week: w.Week, Label: w.Week[min(len(w.Week), 5):], Exams: w.ExamsCompleted, Practice: w.PracticeCompleted,
			ExamsHeight: height(w.ExamsCompleted), PracticeHeight: height(w.PracticeCompleted),
		}
		b.ExamsY, b.PracticeY = barHeight-b.ExamsHeight, barHeight-b.PracticeHeight
		bars = append(bars, b)
	}
	return bars
}
