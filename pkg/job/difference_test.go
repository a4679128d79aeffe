package job_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

func TestDifference(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ a, b, path string }{
		{`{"week":1,"note":"x"}`, `{"note":"x","week":1.0}`, "same"},
		{`{"n":100}`, `{"n":1e2}`, "same"},
		{`{"a":{"b":[1,{"c":2,"d":3}]}}`, `{"a":{"b":[1,{"d":3,"c":2}]}}`, "same"},
		{`null`, ``, "same"},
		{`{"a":null}`, `{"a":null}`, "same"},
		{`9007199254740993`, `9007199254740992`, ""},
		{`{"a":{"b":[1,{"c":2}]}}`, `{"a":{"b":[1,{"c":3}]}}`, "a.b.1.c"},
		{`{"a":1}`, `{"a":1,"b":null}`, "b"},
		{`{"a":1,"b":2}`, `{"a":1}`, "b"},
		{`[1,2]`, `[2,1]`, "0"},
		{`{"a":"1"}`, `{"a":1}`, "a"},
		{`{"a":true}`, `{"a":1}`, "a"},
		{`{"a":0.5}`, `{"a":0.25}`, "a"},
		{`{}`, `[]`, ""},
	} {
		path, differ := job.Difference(data(t, test.a), data(t, test.b))
		back, again := job.Difference(data(t, test.b), data(t, test.a))
		if differ != (test.path != "same") || differ && path != test.path {
			t.Errorf("%s and %s: %q, %t; want %q", test.a, test.b, path, differ, test.path)
		}
		if differ != again || len(test.a) > 0 && path != back {
			t.Errorf("%s and %s: %q, %t; the other way round %q, %t", test.a, test.b, path, differ, back, again)
		}
	}
}

func data(t testing.TB, text string) bson.RawValue {
	t.Helper()
	value, err := job.ToData(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestDifferenceOfWhatJSONHasNot(t *testing.T) {
	t.Parallel()
	value := func(v any) bson.RawValue {
		kind, bytes, err := bson.MarshalValue(v)
		if err != nil {
			t.Fatal(err)
		}
		return bson.RawValue{Type: kind, Value: bytes}
	}
	for _, v := range []any{math.NaN(), math.Inf(1), bson.NewObjectID(), int64(math.MaxInt64), -0.5, bson.Timestamp{T: 1}} {
		if path, differ := job.Difference(value(v), value(v)); differ {
			t.Errorf("%v differs from itself at %q", v, path)
		}
	}
	if _, differ := job.Difference(value(int64(math.MaxInt64)), value(float64(math.MaxInt64))); !differ {
		t.Error("2^63-1 and 2^63 are the same")
	}
	broken := bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: []byte{1, 2, 3}}
	if _, differ := job.Difference(broken, broken); differ {
		t.Error("a document that cannot be read differs from itself")
	}
}

// A payload whose digits a number cannot keep is refused, and says what to send.
func TestNumbersKeepTheirDigits(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"9223372036854775807": true, "-9223372036854775808": true, "100000000000000000000": true, "1e300": true, "0.1234567890123456789": true,
		"9223372036854775808": false, "123456789012345678901": false, "-18446744073709551615": false,
	} {
		_, err := job.ToData(json.RawMessage(`{"id":` + text + `}`))
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "send it as text") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
