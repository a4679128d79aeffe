package schedule_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

var particulars = regexp.MustCompile(`morning|afternoon|evening|tonight|night|noon|"(\\.|[^"\\])*"|'(\\.|[^'\\])*'|\d+|\p{Lu}\p{Ll}+`)

var cronField = regexp.MustCompile(`^the [a-z ]+ field`)

// kindOf is a refusal without the particulars of its text: quotations, numbers,
// and names of days, parts of the day, months and fields.
func kindOf(err error) string {
	var syntax *schedule.SyntaxError
	if !errors.As(err, &syntax) {
		return "not a refusal"
	}
	reason := particulars.ReplaceAllString(syntax.Reason, "…")
	return syntax.Field + ": " + cronField.ReplaceAllString(reason, "the field")
}

// listedKinds are the refusals that the list of differences tells of.
func listedKinds() map[string]bool {
	kinds := map[string]bool{}
	for _, d := range schedule.Differences {
		if err := refusalOf(d); err != nil {
			kinds[kindOf(err)] = true
		}
	}
	return kinds
}

// TestEveryKindOfRefusalIsListed: whatever text of the corpora Agenda 6.2.6 runs
// and this package refuses, the list of differences has one like it.
func TestEveryKindOfRefusalIsListed(t *testing.T) {
	t.Parallel()
	kinds, missing := listedKinds(), map[string]string{}
	check := func(err error, text string) {
		if kind := kindOf(err); !kinds[kind] {
			missing[kind] = text
		}
	}
	var intervals [][3]any
	readGolden(t, "interval.json", &intervals)
	for _, row := range intervals {
		text := row[0].(string)
		if _, err := schedule.Parse(schedule.Spec{Interval: text}, nil); err != nil && row[1] != nil {
			check(err, text)
		}
	}
	var stored [][5]any
	readGolden(t, "stored.json", &stored)
	for _, row := range stored {
		spec := schedule.Spec{Interval: row[0].(string)}
		spec.Timezone, _ = row[1].(string)
		if _, err := schedule.Parse(spec, nil); err != nil && row[3] != nil {
			check(err, spec.Interval+" in "+spec.Timezone)
		}
	}
	var groups []struct {
		Zone string   `json:"zone"`
		Now  int64    `json:"now"`
		Rows [][3]any `json:"rows"`
	}
	readGolden(t, "when.json", &groups)
	for _, group := range groups {
		for _, row := range group.Rows {
			text := row[0].(string)
			if _, err := schedule.ParseWhen(text, time.UnixMilli(group.Now), mustZone(t, group.Zone)); err != nil && row[1] != nil {
				check(err, text)
			}
		}
	}
	for kind, text := range missing {
		t.Errorf("%q is refused, Agenda runs it, and differences.go lists nothing of its kind: %s", text, kind)
	}
}
