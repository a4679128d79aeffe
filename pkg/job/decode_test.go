package job_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// wirePath holds documents that Agenda 4, 5 and 6 wrote.
const wirePath = "../queue/mongoqueue/testdata/agenda-wire.json"

var (
	instant = time.Date(2024, 1, 17, 10, 20, 30, 456e6, time.UTC)
	oid     = bson.ObjectID{0x65, 0xa7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	percent = func(n float64) *float64 { return &n }
)

func bytesOf(t testing.TB, document any) []byte {
	t.Helper()
	text, err := bson.Marshal(document)
	if err != nil {
		t.Fatalf("encode %v: %v", document, err)
	}
	return text
}

func rawOf(t testing.TB, value any) bson.RawValue {
	t.Helper()
	if value == nil {
		return bson.RawValue{Type: bson.TypeNull}
	}
	kind, data, err := bson.MarshalValue(value)
	if err != nil {
		t.Fatalf("encode %v: %v", value, err)
	}
	return bson.RawValue{Type: kind, Value: data}
}

func decode(t testing.TB, fields ...bson.E) *job.Document {
	t.Helper()
	document := &job.Document{}
	whole := append(bson.D{{Key: "_id", Value: oid}, {Key: "name", Value: "report"}}, fields...)
	if err := bson.Unmarshal(bytesOf(t, whole), document); err != nil {
		t.Fatalf("decode %v: %v", fields, err)
	}
	return document
}

// sameDocument compares what a document says: which of its null fields were
// absent is left out, and so are its length and the difference between null and
// nothing.
var sameDocument = cmp.Options{
	cmpopts.IgnoreUnexported(job.Document{}),
	cmpopts.IgnoreFields(job.Document{}, "Size"),
	cmp.Transformer("value", func(v bson.RawValue) [2]string {
		if v.Type == 0 || v.Type == bson.TypeNull {
			return [2]string{}
		}
		return [2]string{v.Type.String(), string(v.Value)}
	}),
	cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }),
	cmpopts.EquateEmpty(),
}

func TestDecodeField(t *testing.T) {
	t.Parallel()
	date := bson.NewDateTimeFromTime(instant)
	millis := float64(instant.UnixMilli())
	for _, c := range []struct {
		title string
		field bson.E
		want  job.Document // beside _id and name
	}{
		{"type of version 6", bson.E{Key: "type", Value: "single"}, job.Document{Type: job.Single}},
		{"type once of versions 4 and 5", bson.E{Key: "type", Value: "once"}, job.Document{Type: job.Once}},
		{"type of a foreign kind", bson.E{Key: "type", Value: 7}, job.Document{}},

		{"priority as int32", bson.E{Key: "priority", Value: int32(10)}, job.Document{Priority: 10}},
		{"priority as int64", bson.E{Key: "priority", Value: int64(-20)}, job.Document{Priority: -20}},
		{"priority as double", bson.E{Key: "priority", Value: -3.5}, job.Document{Priority: -3.5}},
		{"priority by name", bson.E{Key: "priority", Value: "high"}, job.Document{Priority: 10}},
		{"priority by an unknown name", bson.E{Key: "priority", Value: "urgent"}, job.Document{}},
		{"priority null", bson.E{Key: "priority", Value: nil}, job.Document{}},
		{"priority of a foreign kind", bson.E{Key: "priority", Value: bson.A{1}}, job.Document{}},

		{"nextRunAt", bson.E{Key: "nextRunAt", Value: date}, job.Document{NextRunAt: instant}},
		{"nextRunAt null", bson.E{Key: "nextRunAt", Value: nil}, job.Document{}},
		{"nextRunAt as text never matches a lock query", bson.E{Key: "nextRunAt", Value: "2024-01-17"}, job.Document{}},
		{"nextRunAt as a number never matches a lock query", bson.E{Key: "nextRunAt", Value: millis}, job.Document{}},
		{"lockedAt", bson.E{Key: "lockedAt", Value: date}, job.Document{LockedAt: instant}},
		{"lockedAt false", bson.E{Key: "lockedAt", Value: false}, job.Document{}},
		{"lastRunAt", bson.E{Key: "lastRunAt", Value: date}, job.Document{LastRunAt: instant}},
		{"lastFinishedAt", bson.E{Key: "lastFinishedAt", Value: date}, job.Document{LastFinishedAt: instant}},
		{"failedAt", bson.E{Key: "failedAt", Value: date}, job.Document{FailedAt: instant}},
		{"debounceStartedAt", bson.E{Key: "debounceStartedAt", Value: date}, job.Document{DebounceStartedAt: instant}},
		{"cancelledAt", bson.E{Key: "cancelledAt", Value: date}, job.Document{CancelledAt: instant}},

		{"failReason", bson.E{Key: "failReason", Value: "boom"}, job.Document{FailReason: "boom"}},
		{"failReason as a document", bson.E{Key: "failReason", Value: bson.D{{Key: "message", Value: "boom"}}}, job.Document{}},
		{"failCount as int32", bson.E{Key: "failCount", Value: int32(3)}, job.Document{FailCount: 3}},
		{"failCount as int64", bson.E{Key: "failCount", Value: int64(3)}, job.Document{FailCount: 3}},
		{"failCount as double", bson.E{Key: "failCount", Value: 3.0}, job.Document{FailCount: 3}},
		{"failCount NaN", bson.E{Key: "failCount", Value: math.NaN()}, job.Document{}},
		{"failCount negative", bson.E{Key: "failCount", Value: int32(-1)}, job.Document{}},
		{"failCount endless", bson.E{Key: "failCount", Value: math.Inf(1)}, job.Document{FailCount: math.MaxInt32}},

		{"progress as int32", bson.E{Key: "progress", Value: int32(50)}, job.Document{Progress: percent(50)}},
		{"progress as double", bson.E{Key: "progress", Value: 33.3}, job.Document{Progress: percent(33.3)}},
		{"progress null", bson.E{Key: "progress", Value: nil}, job.Document{}},
		{"progress as text", bson.E{Key: "progress", Value: "half"}, job.Document{}},

		{"repeatInterval as cron", bson.E{Key: "repeatInterval", Value: "0 9 * * *"}, job.Document{RepeatInterval: "0 9 * * *"}},
		{"repeatInterval as int32 milliseconds", bson.E{Key: "repeatInterval", Value: int32(60000)}, job.Document{RepeatInterval: "60000"}},
		{"repeatInterval as int64 milliseconds", bson.E{Key: "repeatInterval", Value: int64(60000)}, job.Document{RepeatInterval: "60000"}},
		{"repeatInterval as double milliseconds", bson.E{Key: "repeatInterval", Value: 1500.5}, job.Document{RepeatInterval: "1500.5"}},
		{"repeatInterval huge", bson.E{Key: "repeatInterval", Value: 31536000000.0}, job.Document{RepeatInterval: "31536000000"}},
		{"repeatInterval null", bson.E{Key: "repeatInterval", Value: nil}, job.Document{}},
		{"repeatTimezone", bson.E{Key: "repeatTimezone", Value: "Asia/Ho_Chi_Minh"}, job.Document{RepeatTimezone: "Asia/Ho_Chi_Minh"}},
		{"repeatAt", bson.E{Key: "repeatAt", Value: "3:30pm"}, job.Document{RepeatAt: "3:30pm"}},

		{"startDate as a date", bson.E{Key: "startDate", Value: date}, job.Document{StartDate: instant}},
		{"startDate as the number of version 5", bson.E{Key: "startDate", Value: millis}, job.Document{StartDate: instant}},
		{"endDate as int64", bson.E{Key: "endDate", Value: instant.UnixMilli()}, job.Document{EndDate: instant}},
		{"endDate 0 is none", bson.E{Key: "endDate", Value: int32(0)}, job.Document{}},
		{"endDate beyond JavaScript's last", bson.E{Key: "endDate", Value: 1e16}, job.Document{}},
		{"endDate endless", bson.E{Key: "endDate", Value: math.Inf(1)}, job.Document{}},
		{"endDate NaN", bson.E{Key: "endDate", Value: math.NaN()}, job.Document{}},

		{"skipDays of version 6", bson.E{Key: "skipDays", Value: bson.A{int32(0), 6.0}}, job.Document{SkipDays: []time.Weekday{time.Sunday, time.Saturday}}},
		{"skipDays of version 5", bson.E{Key: "skipDays", Value: "2 days"}, job.Document{SkipDaysText: "2 days"}},
		{"skipDays out of range", bson.E{Key: "skipDays", Value: bson.A{int32(7), int32(-1), 1.5, "1", int32(3)}}, job.Document{SkipDays: []time.Weekday{time.Wednesday}}},
		{"skipDays null", bson.E{Key: "skipDays", Value: nil}, job.Document{}},
		{"skipDays of a foreign kind", bson.E{Key: "skipDays", Value: true}, job.Document{}},

		{"disabled", bson.E{Key: "disabled", Value: true}, job.Document{Disabled: true}},
		{"disabled null", bson.E{Key: "disabled", Value: nil}, job.Document{}},
		{"disabled 1 does not match the lock query's true", bson.E{Key: "disabled", Value: int32(1)}, job.Document{}},
		{"lastModifiedBy", bson.E{Key: "lastModifiedBy", Value: "host-1"}, job.Document{LastModifiedBy: "host-1"}},
		{"fork", bson.E{Key: "fork", Value: true}, job.Document{Fork: true}},
		{"shouldSaveResult of versions 4 and 5", bson.E{Key: "shouldSaveResult", Value: true}, job.Document{ShouldSaveResult: true}},
		{"result of versions 4 and 5", bson.E{Key: "result", Value: "ok"}, job.Document{Result: rawOf(t, "ok")}},
		{"data", bson.E{Key: "data", Value: bson.D{{Key: "a", Value: int32(1)}}}, job.Document{Data: rawOf(t, bson.D{{Key: "a", Value: int32(1)}})}},
		{"data scalar", bson.E{Key: "data", Value: "text"}, job.Document{Data: rawOf(t, "text")}},
		{"data null", bson.E{Key: "data", Value: nil}, job.Document{}},

		{"the stale state that Agendash 8 leaves", bson.E{Key: "state", Value: "failed"}, job.Document{}},
		{"a field of somebody else", bson.E{Key: "runCount", Value: int32(7)}, job.Document{}},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			c.want.ID, c.want.Name = oid, "report"
			if diff := cmp.Diff(&c.want, decode(t, c.field), sameDocument); diff != "" {
				t.Errorf("%s decodes to (-want +got):\n%s", c.field.Key, diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		data []byte
		want string
	}{
		"no name":         {bytesOf(t, bson.D{{Key: "_id", Value: oid}}), oid.Hex() + ": it has no name"},
		"an empty name":   {bytesOf(t, bson.D{{Key: "_id", Value: oid}, {Key: "name", Value: ""}}), "it has no name"},
		"a name not text": {bytesOf(t, bson.D{{Key: "_id", Value: oid}, {Key: "name", Value: 1}}), "it has no name"},
		"no document":     {[]byte{5, 0, 0, 0}, "decode job document"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			err := (&job.Document{}).UnmarshalBSON(c.data)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want one with %q", err, c.want)
			}
		})
	}
}

// A batch of the driver is one buffer that it fills again.
func TestDecodedPayloadDoesNotShareTheBuffer(t *testing.T) {
	t.Parallel()
	buffer := bytesOf(t, bson.D{{Key: "name", Value: "report"}, {Key: "data", Value: "payload"}, {Key: "result", Value: "result"}})
	document := &job.Document{}
	if err := document.UnmarshalBSON(buffer); err != nil {
		t.Fatal(err)
	}
	for i := range buffer {
		buffer[i] = 'x'
	}
	if got := []any{job.PlainValue(document.Data), job.PlainValue(document.Result)}; !cmp.Equal(got, []any{"payload", "result"}) {
		t.Errorf("after the buffer was used again, data and result are %q", got)
	}
}

// wireDocuments returns every whole document of the wire corpus: those that
// were given and those that were inserted.
func wireDocuments(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(wirePath)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		ID       string            `json:"id"`
		Given    []json.RawMessage `json:"given"`
		Expected []struct {
			Inserted json.RawMessage `json:"inserted"`
		} `json:"expected"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	documents := map[string]json.RawMessage{}
	fresh := strings.NewReplacer(`"<new>"`, `"`+oid.Hex()+`"`)
	add := func(id string, i int, document json.RawMessage) {
		if len(document) > 0 {
			documents[id+string(rune('a'+i))] = json.RawMessage(fresh.Replace(string(document)))
		}
	}
	for _, c := range cases {
		for i, given := range c.Given {
			add(c.ID+" given ", i, given)
		}
		for i, expected := range c.Expected {
			add(c.ID+" inserted ", i, expected.Inserted)
		}
	}
	return documents
}

func wireBSON(t testing.TB, document json.RawMessage) bson.Raw {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON(document, false, &d); err != nil {
		t.Fatal(err)
	}
	return bytesOf(t, d)
}

// What Agenda 4, 5 and 6 wrote is read field by field: the corpus says what
// is there, and no field that this package knows may be lost.
func TestDecodeWireDocuments(t *testing.T) {
	t.Parallel()
	documents := wireDocuments(t)
	if len(documents) < 100 {
		t.Fatalf("the corpus has %d documents", len(documents))
	}
	for title, text := range documents {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			raw := wireBSON(t, text)
			document := &job.Document{}
			err := bson.Unmarshal(raw, document)
			if name, _ := raw.Lookup("name").StringValueOK(); name == "" { // ag-093 has one: nobody's job
				if err == nil {
					t.Error("a document without a name was accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			elements, err := raw.Elements()
			if err != nil {
				t.Fatal(err)
			}
			again := bson.Raw(bytesOf(t, document))
			for _, e := range elements {
				if notKept[e.Key()] || keptOtherwise(e) {
					continue
				}
				if got := again.Lookup(e.Key()); !got.Equal(e.Value()) && !(empty(e.Value()) && empty(got)) {
					t.Errorf("%s was %s and is encoded as %s", e.Key(), e.Value(), got)
				}
			}
			second := &job.Document{}
			if err := bson.Unmarshal(again, second); err != nil {
				t.Fatal(err)
			}
			second.SkipDaysText = document.SkipDaysText
			if diff := cmp.Diff(document, second, sameDocument); diff != "" {
				t.Errorf("encoded and decoded again (-first +second):\n%s", diff)
			}
		})
	}
}

// notKept are fields that are not a job's.
var notKept = map[string]bool{"state": true, "myField": true}

// keptOtherwise tells values that are read but have another form when they
// are written: numbers as dates and intervals, text as days to skip.
func keptOtherwise(e bson.RawElement) bool {
	switch kind := e.Value().Type; e.Key() {
	case "skipDays":
		return kind == bson.TypeString
	case "repeatInterval", "startDate", "endDate":
		return kind == bson.TypeInt32 || kind == bson.TypeDouble || kind == bson.TypeInt64
	case "nextRunAt":
		return kind == bson.TypeString || kind == bson.TypeDouble || kind == bson.TypeInt64
	default:
		return false
	}
}

// empty are the values between which Agenda makes no difference.
func empty(v bson.RawValue) bool {
	if n, ok := v.Int32OK(); ok && n == 0 {
		return true
	}
	truth, isBool := v.BooleanOK()
	array, isArray := v.ArrayOK()
	return v.Type == 0 || v.Type == bson.TypeNull || isBool && !truth || isArray && len(array) == 5
}
