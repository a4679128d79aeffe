package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	g "maragu.dev/gomponents"
	"maragu.dev/gomponents/html"

	"github.com/etrainer/backend/pkg/schema"
)

//go:embed page.css
var style string

// policy allows the page its one style sheet, by its hash, and nothing else.
var policy = "default-src 'none'; style-src 'sha256-" + hashOf(style) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// page answers the report as a page: no script, and every value escaped. It is
// made of functions and not of html/template, which calls methods by their
// names: the linker then keeps every method of everything, and the program
// grows by half.
func page(c *gin.Context, report Report, previous *Report, weeks []Report) error {
	title := "Week of " + report.Week
	var text bytes.Buffer
	err := html.Doctype(html.HTML(
		html.Lang("en"),
		html.Head(
			html.Meta(html.Charset("utf-8")),
			html.Meta(html.Name("viewport"), html.Content("width=device-width, initial-scale=1")),
			html.TitleEl(g.Text(title)),
			html.StyleEl(g.Raw(style)),
		),
		html.Body(
			html.H1(g.Text(title)),
			html.P(html.Class("small"), g.Textf("%s to %s, %s; made %s", instant(report.From), instant(report.To), report.Timezone, instant(report.GeneratedAt))),
			comparison(report, previous),
			lessons(report, previous),
			chart(weeks),
			html.P(html.Class("small"), g.Text("Blue: exams. Orange: practices.")),
			skipped(report.Skipped),
		),
	)).Render(&text)
	if err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	c.Header("Content-Security-Policy", policy)
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, "text/html; charset=utf-8", text.Bytes())
	return nil
}

const none = "–" // where nothing can be told

// comparison is a table of the week beside the week before.
func comparison(now Report, before *Report) g.Node {
	row := func(name string, show func(Report) string, change func(now, before Report) string) g.Node {
		was, changed := none, none
		if before != nil {
			was, changed = show(*before), change(now, *before)
		}
		return html.Tr(cell(name), cell(show(now)), cell(was), cell(changed))
	}
	counted := func(name string, of func(Report) int64) g.Node {
		return row(name, func(r Report) string { return number(of(r)) },
			func(now, before Report) string { return inPercent(percent(of(now), of(before))) })
	}
	measured := func(name string, of func(Report) *float64) g.Node {
		return row(name, func(r Report) string { return share(of(r)) },
			func(now, before Report) string { return inPoints(points(of(now), of(before))) })
	}
	return html.Table(
		html.THead(html.Tr(heading("Number"), heading("This week"), heading("Week before"), heading("Change"))),
		html.TBody(
			counted("New users", func(r Report) int64 { return r.NewUsers }),
			counted("Active users", func(r Report) int64 { return r.ActiveUsers }),
			counted("Exams completed", func(r Report) int64 { return r.ExamsCompleted }),
			counted("Practices completed", func(r Report) int64 { return r.PracticeCompleted }),
			measured("Right answers in exams", func(r Report) *float64 { return r.ExamAccuracy }),
			measured("Right answers in practices", func(r Report) *float64 { return r.PracticeAccuracy }),
		),
	)
}

// lessons is a table of the lesson types that were practised in either week, in
// the order of the app.
func lessons(now Report, before *Report) g.Node {
	var rows []g.Node
	for _, name := range schema.LessonTypes() {
		of, then := now.lessonType(name), LessonType{}
		was, changed := none, none
		if before != nil {
			then = before.lessonType(name)
			was, changed = number(then.Practices), inPercent(percent(of.Practices, then.Practices))
		}
		if of.Practices+then.Practices > 0 {
			rows = append(rows, html.Tr(cell(words(name)), cell(number(of.Practices)), cell(was), cell(changed), cell(share(of.Accuracy))))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return g.Group{
		html.H2(g.Text("Practices by lesson type")),
		html.Table(
			html.THead(html.Tr(heading("Lesson type"), heading("This week"), heading("Week before"), heading("Change"), heading("Right answers"))),
			html.TBody(rows...),
		),
	}
}

// skipped lists what was not counted, and why.
func skipped(counts map[string]int64) g.Node {
	if len(counts) == 0 {
		return nil
	}
	var reasons []g.Node
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		reasons = append(reasons, html.Li(g.Textf("%s: %d", reason, counts[reason])))
	}
	return g.Group{html.H2(g.Text("Not counted")), html.Ul(html.Class("small"), g.Group(reasons))}
}

// words writes SHORT_TALK as Short talk.
func words(name string) string {
	text := strings.ReplaceAll(strings.ToLower(name), "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

func inPercent(change *float64) string {
	if change == nil {
		return none
	}
	return fmt.Sprintf("%+.1f %%", *change)
}

func inPoints(change *float64) string {
	if change == nil {
		return none
	}
	return fmt.Sprintf("%+.1f points", *change)
}

func share(accuracy *float64) string {
	if accuracy == nil {
		return none
	}
	return fmt.Sprintf("%.1f %%", *accuracy)
}

func heading(text string) g.Node { return html.Th(g.Text(text)) }
func cell(text string) g.Node    { return html.Td(g.Text(text)) }

const (
	weekWidth = 60
	barWidth  = 22
	barHeight = 160
)

// chart draws exams and practices side by side, oldest week first.
func chart(weeks []Report) g.Node {
	most := int64(1)
	for _, w := range weeks {
		most = max(most, w.ExamsCompleted, w.PracticeCompleted)
	}
	bar := func(class string, x int, n int64) g.Node {
		height := int64(float64(max(n, 0)) / float64(most) * barHeight)
		return g.El("rect", html.Class(class), attr("x", x), attr("y", barHeight-height), attr("width", barWidth), attr("height", height))
	}
	drawn := make([]g.Node, 0, len(weeks))
	for _, w := range slices.Backward(weeks) {
		drawn = append(drawn, g.El("g", attr("transform", fmt.Sprintf("translate(%d 0)", len(drawn)*weekWidth)),
			g.El("title", g.Textf("%s: %d exams, %d practices", w.Week, w.ExamsCompleted, w.PracticeCompleted)),
			bar("exams", 6, w.ExamsCompleted),
			bar("practice", 30, w.PracticeCompleted),
			g.El("text", attr("x", 29), attr("y", 180), attr("text-anchor", "middle"), g.Text(w.Week[min(len(w.Week), len("2006-")):])),
		))
	}
	return g.El("svg", attr("viewBox", fmt.Sprintf("0 0 %d 200", max(len(weeks), 1)*weekWidth)), html.Role("img"),
		html.Aria("label", "Exams and practices of the last weeks"), g.Group(drawn))
}

func attr(name string, value any) g.Node { return g.Attr(name, fmt.Sprint(value)) }
