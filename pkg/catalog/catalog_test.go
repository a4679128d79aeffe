package catalog_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// mail is a payload with a rule of its own.
type mail struct {
	To    string `json:"to"`
	Count int    `json:"count"`

	After time.Time `json:"after,omitzero"`
}

func (m mail) Validate() error {
	if m.To == "" {
		return errors.New("to is missing; name the receiver")
	}
	return nil
}

var sendMail = catalog.Define[mail](catalog.Definition{Name: "send mail"})

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title, data, want string // want "" = accepted
	}{
		{"good", `{"to":"an@example.com","count":2}`, ""},
		{"good, with space around", " {\"to\":\"an@example.com\"}\n", ""},
		{"rule broken", `{"count":1}`, `data of "send mail": to is missing; name the receiver`},
		{"none", ``, `data of "send mail": to is missing; name the receiver`},
		{"null", `null`, `data of "send mail": to is missing; name the receiver`},
		{"unknown field", `{"to":"a","cc":"b"}`, `data of "send mail": field "cc" is unknown; remove it`},
		{"wrong type of a field", `{"to":"a","count":"many"}`, `data of "send mail": count must be a whole number, not a string`},
		{"a fraction", `{"to":"a","count":1.5}`, `data of "send mail": count must be a whole number, not the number 1.5`},
		{"an object in place of text", `{"to":{"name":"a"}}`, `data of "send mail": to must be a string, not an object`},
		{"true in place of text", `{"to":true}`, `data of "send mail": to must be a string, not true or false`},
		{"not an object", `[1]`, `data of "send mail": must be a JSON object, not an array`},
		{"a number in place of an object", `1`, `data of "send mail": must be a JSON object, not a number`},
		{"two values", `{"to":"a"} {}`, `data of "send mail": there is text after the JSON value; send one JSON object`},
		{"a time that is none", `{"to":"a","after":"soon"}`, `data of "send mail": parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"`},
		{"a comma too much", `{"to":"a",}`, `data of "send mail": is not valid JSON: invalid character '}' looking for beginning of object key string`},
		{"cut off", `{"to":`, `data of "send mail": is not valid JSON: unexpected EOF`},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			err := sendMail.Validate([]byte(c.data))
			if got := text(err); got != c.want {
				t.Errorf("the error is %q, want %q", got, c.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A definition that was not made by Define knows nothing of its payload.
func TestValidateWithoutAType(t *testing.T) {
	t.Parallel()
	if err := (catalog.Definition{Name: "foreign"}).Validate([]byte(`{"anything":1}`)); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title, data string
		want        mail
		err         string
	}{
		{"a field that Node added is ignored", `{"to":"a","count":2,"traceId":"x"}`, mail{To: "a", Count: 2}, ""},
		{"null", `null`, mail{}, "to is missing"},
		{"wrong type", `{"to":1}`, mail{}, "decode data of job"},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			data, err := job.ToData(json.RawMessage(c.data))
			if err != nil {
				t.Fatal(err)
			}
			got, err := sendMail.Decode(&job.Document{Name: "send mail", Data: data})
			if c.err != "" {
				if !strings.Contains(text(err), c.err) {
					t.Errorf("the error is %v; want one with %q", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	c := catalog.New(
		catalog.Definition{Name: "b", Repeat: schedule.Spec{Interval: "5 minutes"}},
		catalog.Definition{Name: "c"},
		catalog.Definition{Name: "a", Repeat: schedule.Spec{Interval: "@daily"}},
	)
	if diff := cmp.Diff([]string{"a", "b", "c"}, c.Names()); diff != "" {
		t.Errorf("names:\n%s", diff)
	}
	var recurring []string
	for _, d := range c.Recurring() {
		recurring = append(recurring, d.Name)
	}
	if diff := cmp.Diff([]string{"a", "b"}, recurring); diff != "" {
		t.Errorf("recurring:\n%s", diff)
	}
	if d, ok := c.Lookup("c"); !ok || d.Name != "c" {
		t.Errorf("Lookup(c) is %+v, %t", d, ok)
	}
	if _, ok := c.Lookup("C"); ok {
		t.Error("Lookup takes capitals for small letters")
	}
}

func TestNewPanicsOnMistakesInSource(t *testing.T) {
	t.Parallel()
	for want, definitions := range map[string][]catalog.Definition{
		"a definition has no name": {{}},
		`"a" is defined twice`:     {{Name: "a"}, {Name: "b"}, {Name: "a"}},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("the panic is %q; want one with %q", got, want)
				}
			}()
			catalog.New(definitions...)
		}()
	}
}

// The product's own jobs: each is valid, and the zone reaches its schedule.
func TestETrainer(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{"": "Asia/Ho_Chi_Minh", "Europe/Berlin": "Europe/Berlin"} {
		jobs := catalog.ETrainer(zone)
		for _, name := range jobs.Names() {
			d, _ := jobs.Lookup(name)
			if d.Description == "" {
				t.Errorf("%q has no description", name)
			}
			if err := d.Validate(nil); err != nil {
				t.Errorf("%q refuses to run without data: %v", name, err)
			}
		}
		for _, d := range jobs.Recurring() {
			if d.Repeat.Timezone != want {
				t.Errorf("%q runs in %q, want %q", d.Name, d.Repeat.Timezone, want)
			}
			if _, err := schedule.Parse(d.Repeat, time.UTC); err != nil {
				t.Errorf("schedule of %q: %v", d.Name, err)
			}
		}
	}
	if got := catalog.WeeklyReports.Repeat.Timezone; got != "" {
		t.Errorf("ETrainer changed the shared definition: its zone is %q", got)
	}
}

// Node runs the reports on Mondays at 8; so does the product, in local time.
func TestWeeklyReportsRunOnMondayMorning(t *testing.T) {
	t.Parallel()
	d, ok := catalog.ETrainer("").Lookup("generate weekly reports")
	if !ok {
		t.Fatal("the job of the Node backend is missing")
	}
	plan, err := schedule.Parse(d.Repeat, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	wednesday := time.Date(2024, 1, 17, 10, 20, 30, 0, time.UTC)
	next, ok := plan.NextRun(time.Time{}, time.Time{}, wednesday)
	if want := time.Date(2024, 1, 22, 1, 0, 0, 0, time.UTC); !ok || !next.Equal(want) {
		t.Errorf("after %s it runs at %s, want %s", wednesday, next, want)
	}
}

// A backup is due every night at 3, in local time.
func TestBackupRunsAtNight(t *testing.T) {
	t.Parallel()
	d, ok := catalog.ETrainer("").Lookup("backup critical data")
	if !ok {
		t.Fatal("the job of the Node backend is missing")
	}
	plan, err := schedule.Parse(d.Repeat, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	evening := time.Date(2024, 1, 17, 20, 20, 30, 0, time.UTC) // in Ho Chi Minh City it is past 3
	next, ok := plan.NextRun(time.Time{}, time.Time{}, evening)
	if want := time.Date(2024, 1, 18, 20, 0, 0, 0, time.UTC); !ok || !next.Equal(want) {
		t.Errorf("after %s it runs at %s, want %s", evening, next, want)
	}
}

func TestWeeklyReportsPayload(t *testing.T) {
	t.Parallel()
	for week, want := range map[string]string{
		"":           "",
		"2025-08-04": "",
		"2024-02-29": "",
		"2025-02-29": `week "2025-02-29" is not a date; write it as YYYY-MM-DD, for example 2025-08-04`,
		"04.08.2025": `week "04.08.2025" is not a date; write it as YYYY-MM-DD, for example 2025-08-04`,
		"2025-W32":   `week "2025-W32" is not a date; write it as YYYY-MM-DD, for example 2025-08-04`,
	} {
		if got := text(catalog.WeeklyReportsPayload{Week: week}.Validate()); got != want {
			t.Errorf("week %q: %q, want %q", week, got, want)
		}
	}
}
