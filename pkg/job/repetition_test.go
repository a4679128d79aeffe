package job_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// everyType has a value of every BSON type, and the odd ones of some.
var everyType = map[string]any{
	"double": 1.5e6, "double zero": math.Copysign(0, -1), "NaN": math.NaN(), "infinity": math.Inf(1), "minus infinity": math.Inf(-1), "huge": 1e300,
	"negative": -5.0, "text": "text", "empty text": "", "long text": strings.Repeat("day ", 5000), "object": bson.D{{Key: "$gt", Value: ""}},
	"array": bson.A{"5 minutes"}, "empty array": bson.A{}, "array of null": bson.A{nil}, "binary": bson.Binary{Data: []byte("5 minutes")},
	"undefined": bson.Undefined{}, "id": bson.NewObjectID(), "true": true, "false": false, "date": bson.NewDateTimeFromTime(instant),
	"first date": bson.DateTime(math.MinInt64), "last date": bson.DateTime(math.MaxInt64), "year 9999": bson.DateTime(253402300799999),
	"null": nil, "regex": bson.Regex{Pattern: "5 minutes"}, "pointer": bson.DBPointer{DB: "x"}, "code": bson.JavaScript("5"),
	"symbol": bson.Symbol("5 minutes"), "code with scope": bson.CodeWithScope{Code: "5", Scope: bson.D{}}, "int32": int32(60000), "int32 zero": int32(0),
	"timestamp": bson.Timestamp{T: 5}, "int64": int64(60000), "int64 zero": int64(0), "least": int64(math.MinInt64),
	"decimal": bson.NewDecimal128(0x3040000000000000, 5), "min key": bson.MinKey{}, "max key": bson.MaxKey{},
}

// notRepeating are the values that JavaScript takes for false.
var notRepeating = []string{"double zero", "NaN", "empty text", "undefined", "false", "null", "int32 zero", "int64 zero"}

// TestEveryTypeInEveryField: what Agenda reads is read, what it takes for
// nothing is nothing, and all else is a problem; none panics or loops.
func TestEveryTypeInEveryField(t *testing.T) {
	t.Parallel()
	repeats := map[string]bool{"double": true, "int32": true, "int64": true}
	for name, value := range everyType {
		nothing := slices.Contains(notRepeating, name)
		for _, field := range []string{"repeatInterval", "repeatAt"} {
			d := decode(t, bson.E{Key: field, Value: value})
			s, problem := d.Schedule(time.UTC)
			switch {
			case nothing:
				if s != nil || problem != nil {
					t.Errorf("%s is %s: %v, %v; want a job that does not repeat", field, name, s, problem)
				}
			case field == "repeatInterval" && repeats[name]:
				if s == nil || problem != nil {
					t.Errorf("%s is %s: %v, %v", field, name, s, problem)
				}
			case problem == nil || s != nil:
				t.Errorf("%s is %s: %v, %v; want a problem", field, name, s, problem)
			case !strings.Contains(problem.Error(), field) || len(problem.Error()) > 500:
				t.Errorf("%s is %s: the problem is %q", field, name, problem)
			}
			if d.Recurring() == nothing {
				t.Errorf("%s is %s: Recurring is %t", field, name, d.Recurring())
			}
		}
		for _, field := range []string{"repeatTimezone", "startDate", "endDate", "skipDays"} {
			d := decode(t, bson.E{Key: "repeatInterval", Value: "5 minutes"}, bson.E{Key: field, Value: value})
			s, problem := d.Schedule(time.UTC)
			if s == nil {
				t.Fatalf("%s is %s: the job ends: %v", field, name, problem)
			}
			fits := nothing || field == "skipDays" && name == "empty array" ||
				(field == "startDate" || field == "endDate") && slices.Contains([]string{"double", "negative", "date", "year 9999", "int32", "int64"}, name)
			if (problem == nil) != fits || problem != nil && !strings.Contains(problem.Error(), field) {
				t.Errorf("%s is %s: the problem is %v", field, name, problem)
			}
		}
	}
}

// TestScheduleOfADocument: which of two fields counts, and that a job goes on.
func TestScheduleOfADocument(t *testing.T) {
	t.Parallel()
	last := time.Date(2024, 1, 17, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		title  string
		fields bson.D
		want   string // the next run; "" = none
		says   string // of the problem; "" = there is none
	}{
		{"interval", bson.D{{Key: "repeatInterval", Value: "5 minutes"}}, "2024-01-17T10:05:00Z", ""},
		{"interval beats repeatAt", bson.D{{Key: "repeatInterval", Value: "5 minutes"}, {Key: "repeatAt", Value: bson.A{}}}, "2024-01-17T10:05:00Z", ""},
		{"no interval, and a repeatAt", bson.D{{Key: "repeatInterval", Value: ""}, {Key: "repeatAt", Value: "9pm"}}, "2024-01-17T21:00:00Z", ""},
		{"interval 0 is none", bson.D{{Key: "repeatInterval", Value: 0}, {Key: "repeatAt", Value: "9pm"}}, "2024-01-17T21:00:00Z", ""},
		{"an unreadable interval still decides", bson.D{{Key: "repeatInterval", Value: true}, {Key: "repeatAt", Value: "9pm"}}, "", "repeatInterval is a value of the type boolean"},
		{"the zone that is stored", bson.D{{Key: "repeatAt", Value: "9pm"}, {Key: "repeatTimezone", Value: "UTC+3"}}, "2024-01-17T18:00:00Z", ""},
		{"bounds of repeatAt", bson.D{{Key: "repeatAt", Value: "9pm"}, {Key: "endDate", Value: last}}, "", ""},
		{"Agenda's own rhythm", bson.D{{Key: "repeatInterval", Value: "two and a half hours"}}, "2024-01-17T12:00:00Z", "goes on as Agenda reads it, every 2 hours"},
		{"skipDays of Agenda 5", bson.D{{Key: "repeatInterval", Value: "5 minutes"}, {Key: "skipDays", Value: "2 days"}}, "2024-01-17T10:05:00Z", `skipDays "2 days"`},
		{"several problems", bson.D{{Key: "repeatInterval", Value: "now and then"}, {Key: "endDate", Value: "soon"}}, "", "endDate is a value of the type string, which is no date that Agenda knows, and is not acted upon; repeatInterval"},
		{"not recurring", bson.D{{Key: "endDate", Value: "soon"}}, "", ""},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			s, problem := decode(t, c.fields...).Schedule(time.UTC)
			got := ""
			if s != nil {
				if next, ok := s.NextRun(last, time.Time{}, last); ok {
					got = next.UTC().Format(time.RFC3339)
				}
			}
			if got != c.want {
				t.Errorf("the next run is %q, want %q", got, c.want)
			}
			if (problem == nil) != (c.says == "") || problem != nil && !strings.Contains(problem.Error(), c.says) {
				t.Errorf("the problem is %v, want one that says %q", problem, c.says)
			}
		})
	}
}

// FuzzRepetition puts values of every type into the fields of a schedule.
func FuzzRepetition(f *testing.F) {
	f.Add(byte(bson.TypeNull), []byte{}, byte(bson.TypeUndefined), []byte{}, byte(bson.TypeMinKey), []byte{})
	add := func(value any) {
		if value == nil {
			return
		}
		kind, data, err := bson.MarshalValue(value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(kind), data, byte(kind), data, byte(kind), data)
	}
	for _, value := range everyType {
		add(value)
	}
	for _, text := range []string{"5 minutes", "0 9 * * 1-5", "H H * * *", "two and a half hours", "9am", "UTC+3", "Mars/Base"} {
		add(text)
	}
	add(bson.A{0, 6, 7, "x", nil})
	f.Fuzz(func(t *testing.T, kind byte, data []byte, kind2 byte, data2 []byte, kind3 byte, data3 []byte) {
		d := &job.Document{}
		raw := rawDocument(
			field{0x02, "name", "\x02\x00\x00\x00x\x00"}, field{kind, "repeatInterval", string(data)}, field{kind2, "repeatAt", string(data2)},
			field{kind3, "repeatTimezone", string(data3)}, field{kind2, "startDate", string(data2)}, field{kind3, "endDate", string(data3)},
			field{kind, "skipDays", string(data)})
		if d.UnmarshalBSON(raw) != nil {
			return
		}
		s, problem := d.Schedule(time.UTC)
		if (s == nil && problem == nil) == d.Recurring() {
			t.Fatalf("%s: neither a schedule nor a problem", raw)
		}
		last := instant
		for i := 0; s != nil && i < 3; i++ {
			next, ok := s.NextRun(last, time.Time{}, last)
			if !ok {
				break
			}
			if !next.After(last) {
				t.Fatalf("%s: %s follows %s", raw, next, last)
			}
			last = next
		}
	})
}

type field struct {
	kind        byte
	name, value string
}

// rawDocument writes a document from the bytes of its values.
func rawDocument(fields ...field) bson.Raw {
	raw := []byte{0, 0, 0, 0}
	for _, f := range fields {
		raw = append(append(append(append(raw, f.kind), f.name...), 0), f.value...)
	}
	raw = append(raw, 0)
	raw[0], raw[1], raw[2], raw[3] = byte(len(raw)), byte(len(raw)>>8), byte(len(raw)>>16), byte(len(raw)>>24)
	return raw
}
