package job

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/schedule"
)

// Spec is what the document stores about its repetition.
func (d *Document) Spec() schedule.Spec {
	return schedule.Spec{
		Interval: d.RepeatInterval, RepeatAt: d.RepeatAt, Timezone: d.RepeatTimezone,
		Start: d.StartDate, End: d.EndDate, SkipDays: d.SkipDays,
	}
}

// Schedule reads when the job repeats, as [schedule.ParseStored] does: every
// program asks here, so that all of them agree. defaultZone applies where the
// document names no zone.
//
// problem is what is wrong with the schedule as it is stored, in a sentence for
// whoever can change it; nil = nothing. The schedule is nil for a job that does
// not repeat, and for one whose problem leaves it no next run.
func (d *Document) Schedule(defaultZone *time.Location) (s *schedule.Schedule, problem error) {
	if !d.Recurring() {
		return nil, nil
	}
	notes := d.repetition.notes
	if d.SkipDaysText != "" {
		notes = append(slices.Clip(notes), fmt.Sprintf(
			"skipDays %s: is the text of Agenda 4 and 5, which is not acted upon; store weekdays, such as [0, 6]", shortText(d.SkipDaysText)))
	}
	if field, is := d.decides(); is == "" {
		s, problem = schedule.ParseStored(d.Spec(), defaultZone)
	} else {
		problem = fmt.Errorf("%s is %s, which no Agenda reads; the job has no next run", field, is)
	}
	if problem != nil {
		notes = append(slices.Clip(notes), problem.Error())
	}
	if len(notes) == 0 {
		return s, nil
	}
	return s, errors.New(strings.Join(notes, "; "))
}

// decides names the field that the schedule is made of, and its type where no
// Agenda reads that.
func (d *Document) decides() (field, is string) {
	if d.RepeatInterval != "" {
		return "repeatInterval", d.repetition.intervalIs
	}
	return "repeatAt", d.repetition.repeatAtIs
}

// repetition is what is odd about the fields of a schedule as they are stored.
type repetition struct {
	notes []string // a sentence for each value that is not acted upon
	// What the two are, where no Agenda reads their type; "" = it does.
	intervalIs, repeatAtIs string
}

// decodeRepetition reads the fields that make a schedule. What JavaScript takes
// for false, such as "" and 0, is nothing, as in Agenda; a value that is neither
// text nor a number is kept as the name of its type.
func (d *Document) decodeRepetition(key string, v bson.RawValue) {
	switch key {
	case "repeatInterval":
		d.RepeatInterval, d.repetition.intervalIs = textOrNumber(v), unreadable(v)
	case "repeatAt":
		d.RepeatAt, d.repetition.repeatAtIs = textOrNumber(v), unreadable(v)
	case "repeatTimezone":
		d.RepeatTimezone = textOrNumber(v)
	case "startDate":
		d.StartDate = d.repetition.bound(key, v)
	case "endDate":
		d.EndDate = d.repetition.bound(key, v)
	case "skipDays":
		d.SkipDays, d.SkipDaysText = d.repetition.skipDays(v)
	}
}

// unreadable names the type of a value that no Agenda reads as a schedule; "" =
// it is text, a number, or nothing.
func unreadable(v bson.RawValue) string {
	if _, number := numberOK(v); number || v.Type == bson.TypeString || untrue(v) {
		return ""
	}
	return typeName(v)
}

// bound reads a date, which Agenda 4 and 5 also stored as milliseconds.
func (r *repetition) bound(key string, v bson.RawValue) time.Time {
	if t, ok := v.TimeOK(); ok && math.Abs(float64(t.UnixMilli())) <= lastMillisecond {
		return t
	}
	if n, ok := numberOK(v); ok && math.Abs(n) <= lastMillisecond && n != 0 {
		return time.UnixMilli(int64(n))
	}
	if !untrue(v) {
		r.notes = append(r.notes, fmt.Sprintf("%s is %s, which is no date that Agenda knows, and is not acted upon", key, typeName(v)))
	}
	return time.Time{}
}

// lastMillisecond is the end of JavaScript's dates.
const lastMillisecond = 8.64e15

// skipDays reads Agenda 6's array of weekdays, or the text of Agenda 4 and 5.
func (r *repetition) skipDays(v bson.RawValue) (days []time.Weekday, text string) {
	if text, ok := v.StringValueOK(); ok {
		return nil, text
	}
	array, ok := v.ArrayOK()
	if !ok {
		if !untrue(v) {
			r.notes = append(r.notes, fmt.Sprintf("skipDays is %s, and only an array of weekdays is acted upon", typeName(v)))
		}
		return nil, ""
	}
	values, err := array.Values()
	if err != nil {
		return nil, ""
	}
	for _, value := range values {
		if n, ok := numberOK(value); ok && n >= 0 && n <= 6 && n == math.Trunc(n) {
			days = append(days, time.Weekday(n))
		}
	}
	if odd := len(values) - len(days); odd > 0 {
		r.notes = append(r.notes, fmt.Sprintf("skipDays has values that are no weekdays from 0 to 6 (%d), which are not acted upon", odd))
	}
	return days, ""
}

// untrue reports what JavaScript takes for false: Agenda looks no further.
func untrue(v bson.RawValue) bool {
	if text, ok := v.StringValueOK(); ok {
		return text == ""
	}
	if truth, ok := v.BooleanOK(); ok {
		return !truth
	}
	switch v.Type {
	case 0, bson.TypeNull, bson.TypeUndefined:
		return true
	case bson.TypeInt32, bson.TypeInt64:
		return number(v) == 0
	case bson.TypeDouble:
		n, ok := v.DoubleOK()
		return ok && (n == 0 || math.IsNaN(n))
	default:
		return false
	}
}

// textOrNumber is text as it stands, a number in decimal, nothing as "", and
// anything else as the name of its type.
func textOrNumber(v bson.RawValue) string {
	if untrue(v) {
		return ""
	}
	if text, ok := v.StringValueOK(); ok {
		return text
	}
	if n, ok := numberOK(v); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return typeName(v)
}

// typeName says "a value of the type array".
func typeName(v bson.RawValue) string {
	if v.Type == bson.TypeDouble {
		return "a number that cannot be used"
	}
	if _, ok := numberOK(v); ok {
		return "a number"
	}
	return "a value of the type " + v.Type.String()
}

// shortText quotes the beginning of a stored text.
func shortText(text string) string {
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strconv.Quote(text)
}
