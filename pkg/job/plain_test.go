package job_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// PlainValue renders what JSON.stringify renders of the same document in Node.
func TestPlainValue(t *testing.T) {
	t.Parallel()
	decimal, err := bson.ParseDecimal128("1.10")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		title string
		value any
		want  string
	}{
		{"null", nil, `null`},
		{"undefined", bson.Undefined{}, `null`},
		{"text", "a\"b", `"a\"b"`},
		{"true", true, `true`},
		{"int32", int32(-7), `-7`},
		{"int64 beyond what a double holds", int64(9007199254740993), `9007199254740993`},
		{"whole double", 3.0, `3`},
		{"double", 0.1, `0.1`},
		{"large double", 1e21, `1e+21`},
		{"NaN", math.NaN(), `null`},
		{"infinity", math.Inf(1), `null`},
		{"minus infinity", math.Inf(-1), `null`},
		{"ObjectId", oid, `"65a70102030405060708090a"`},
		{"date", instant, `"2024-01-17T10:20:30.456Z"`},
		{"date with whole seconds", instant.Truncate(time.Second), `"2024-01-17T10:20:30.000Z"`},
		{"date of another zone", instant.In(time.FixedZone("there", 7*3600)), `"2024-01-17T10:20:30.456Z"`},
		{"document keeps its order", bson.D{{Key: "z", Value: 1}, {Key: "a", Value: bson.D{{Key: "b", Value: oid}}}}, `{"z":1,"a":{"b":"65a70102030405060708090a"}}`},
		{"empty document", bson.D{}, `{}`},
		{"array", bson.A{1, "a", nil, bson.A{}}, `[1,"a",null,[]]`},
		{"decimal", decimal, `{"$numberDecimal":"1.10"}`},
		{"binary", bson.Binary{Data: []byte{1, 2}}, `{"$binary":{"base64":"AQI=","subType":"00"}}`},
		{"regular expression", bson.Regex{Pattern: "a.*", Options: "i"}, `{"$regularExpression":{"options":"i","pattern":"a.*"}}`},
		{"timestamp", bson.Timestamp{T: 1, I: 2}, `{"$timestamp":{"i":2,"t":1}}`},
		{"smallest key", bson.MinKey{}, `{"$minKey":1}`},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(job.PlainValue(rawOf(t, c.value)))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestPlainValueOfNothing(t *testing.T) {
	t.Parallel()
	if got := job.PlainValue(bson.RawValue{}); got != nil {
		t.Errorf("got %v, want nil", got)
	}
}

// Values that a broken document may hold: no panic, and valid JSON.
func TestPlainValueOfBrokenBSON(t *testing.T) {
	t.Parallel()
	kinds := []bson.Type{
		bson.TypeDouble, bson.TypeString, bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeBinary, bson.TypeUndefined, bson.TypeObjectID,
		bson.TypeBoolean, bson.TypeDateTime, bson.TypeNull, bson.TypeRegex, bson.TypeDBPointer, bson.TypeJavaScript, bson.TypeSymbol,
		bson.TypeCodeWithScope, bson.TypeInt32, bson.TypeTimestamp, bson.TypeInt64, bson.TypeDecimal128, bson.TypeMinKey, bson.TypeMaxKey, 0x55,
	}
	for _, kind := range kinds {
		for _, data := range [][]byte{nil, {1}, {255, 255, 255, 127, 0}, {9, 0, 0, 0, 1, 97, 0, 1, 0}} {
			if _, err := json.Marshal(job.PlainValue(bson.RawValue{Type: kind, Value: data})); err != nil {
				t.Errorf("%s of %v: %v", kind, data, err)
			}
		}
	}
}

func TestToData(t *testing.T) {
	t.Parallel()
	type payload struct {
		User string    `json:"userId"`
		At   time.Time `json:"at"`
		Skip string    `json:"skip,omitempty"`
	}
	for _, c := range []struct {
		title   string
		payload any
		want    any // as BSON; nil = none
	}{
		{"nil", nil, nil},
		{"a nil pointer", (*payload)(nil), nil},
		{"JSON null", json.RawMessage("null"), nil},
		{"no JSON", json.RawMessage(nil), nil},
		{"a struct by its JSON names", payload{"u", instant, ""}, bson.D{{Key: "userId", Value: "u"}, {Key: "at", Value: "2024-01-17T10:20:30.456Z"}}},
		{"JSON keeps the order of keys", json.RawMessage(`{"z":1,"a":2}`), bson.D{{Key: "z", Value: int32(1)}, {Key: "a", Value: int32(2)}}},
		{"the last of equal keys wins, at the place of the first", json.RawMessage(`{"a":1,"b":2,"a":3}`), bson.D{{Key: "a", Value: int32(3)}, {Key: "b", Value: int32(2)}}},
		{
			"numbers as a JavaScript driver stores them", json.RawMessage(`[1,-2147483648,2147483648,1.5,9007199254740993,1.0,1e3,1e10]`),
			bson.A{int32(1), int32(-2147483648), 2147483648.0, 1.5, int64(9007199254740993), int32(1), int32(1000), 1e10},
		},
		{"a scalar", json.RawMessage(`"text"`), "text"},
		{"text", "text", "text"},
		{"a date stays a date", bson.D{{Key: "at", Value: instant}}, bson.D{{Key: "at", Value: instant}}},
		{"BSON as it is", rawOf(t, oid), oid},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			got, err := job.ToData(c.payload)
			if err != nil {
				t.Fatal(err)
			}
			want := bson.RawValue{}
			if c.want != nil {
				want = rawOf(t, c.want)
			}
			if !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestToDataRefuses(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		payload any
		want    string
	}{
		"what has no JSON form": {make(chan int), "unsupported type"},
		"JSON cut off":          {json.RawMessage(`{"a":`), "read data: "},
		"two values":            {json.RawMessage(`{} {}`), "read data: text after the JSON value"},
		"a number too large":    {json.RawMessage(`1e999`), "the number 1e999 is out of range"},
		"nesting too deep":      {json.RawMessage(strings.Repeat("[", 100) + strings.Repeat("]", 100)), "nested deeper than 64 levels"},
		"a key that BSON lacks": {json.RawMessage(`{"a\u0000b":1}`), "null"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			if _, err := job.ToData(c.payload); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want one with %q", err, c.want)
			}
		})
	}
}
