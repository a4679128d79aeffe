package job_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// FuzzDocument feeds any bytes: no panic, and what was decoded is the same
// after it was encoded and decoded again.
func FuzzDocument(f *testing.F) {
	for _, document := range wireDocuments(f) {
		f.Add([]byte(wireBSON(f, document)))
	}
	f.Add(bytesOf(f, full(f)))
	f.Add(bytesOf(f, bson.D{{Key: "name", Value: "a"}, {Key: "skipDays", Value: bson.A{0, "x", 6.5}}, {Key: "failCount", Value: math.Inf(-1)}}))
	f.Add(bytesOf(f, bson.D{{Key: "name", Value: "a"}, {Key: "nextRunAt", Value: bson.DateTime(math.MinInt64)}, {Key: "endDate", Value: -8.64e15}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		first := &job.Document{}
		if first.UnmarshalBSON(data) != nil {
			return
		}
		_ = first.State(instant)
		if text, err := first.DataJSON(); err != nil || !json.Valid(text) {
			t.Errorf("the payload is rendered as %q, %v", text, err)
		}
		encoded, err := bson.Marshal(first)
		if err != nil {
			t.Fatalf("not encoded: %v", err)
		}
		second := &job.Document{}
		if err := bson.Unmarshal(encoded, second); err != nil {
			t.Fatalf("not decoded again: %v", err)
		}
		second.SkipDaysText = first.SkipDaysText // is read and never written
		if diff := cmp.Diff(first, second, sameDocument, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("decode(encode(x)) is not x (-x +got):\n%s", diff)
		}
		if left := second.NullOnFinish(); left != nil {
			t.Errorf("an encoded document lacks %v", left)
		}
	})
}

// FuzzData feeds any text: what is accepted as a payload comes back as the
// same JSON value.
func FuzzData(f *testing.F) {
	for _, text := range []string{
		`null`, `{}`, `[]`, `""`, `true`, `0`, `-0`, `1.5`, `0e0`, `1e16`, `1e21`, `9007199254740993`, `9223372036854775807`, `9223372036854775808`, `1e999`,
		`{"a":{"b":[1,2,{"c":null}]},"a":2}`, `{"":1}`, `{"$date":"2024"}`, `{"a.b":1}`, `"\ud800"`, `{"k\u0000":1}`, `[[[[[]]]]]`, `{`, `1 2`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := job.ToData(json.RawMessage(text))
		if err != nil {
			return
		}
		if len(text) > 0 && !json.Valid(text) {
			t.Fatalf("%q was accepted", text)
		}
		rendered, err := json.Marshal(job.PlainValue(data))
		if err != nil {
			t.Fatalf("%q is not rendered: %v", text, err)
		}
		if len(text) == 0 {
			text = []byte("null")
		}
		var want, got any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(rendered, &got); err != nil {
			t.Fatalf("%q is rendered as %q: %v", text, rendered, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q came back as %q:\n%s", text, rendered, diff)
		}
		again, err := job.ToData(json.RawMessage(rendered))
		if err != nil {
			t.Fatalf("%q is rendered as %q, which is refused: %v", text, rendered, err)
		}
		if second, err := json.Marshal(job.PlainValue(again)); err != nil || string(second) != string(rendered) {
			t.Errorf("%q is rendered as %q, and after another turn as %q (%v)", text, rendered, second, err)
		}
	})
}

// FuzzRetry: whatever the settings hold, a delay is neither negative nor longer
// than a year, and the attempts end.
func FuzzRetry(f *testing.F) {
	f.Add(4, int64(time.Second), 2.0, int64(time.Hour), 0.1, 1, 0.5)
	f.Add(0, int64(math.MaxInt64), math.NaN(), int64(math.MaxInt64), math.NaN(), 1, 0.999)
	f.Add(math.MaxInt, int64(math.MaxInt64), math.Inf(1), int64(math.MaxInt64), math.Inf(1), 3, 0.0)
	f.Add(50, int64(-1), math.Inf(-1), int64(-1), math.Inf(-1), math.MinInt, 0.999)
	f.Add(50, int64(1), 1e308, int64(1), math.Copysign(0, -1), 49, 0.25)
	f.Fuzz(func(t *testing.T, attempts int, delay int64, factor float64, maxDelay int64, jitter float64, attempt int, random float64) {
		if !(random >= 0 && random < 1) {
			t.Skip("random is a number in [0, 1)")
		}
		r := job.Retry{MaxAttempts: attempts, Delay: time.Duration(delay), Factor: factor, MaxDelay: time.Duration(maxDelay), Jitter: jitter}
		d, again := r.Next(attempt, random)
		if d < 0 || d > job.LongestDelay || maxDelay > 0 && d > time.Duration(maxDelay) {
			t.Fatalf("%+v after attempt %d: %s", r, attempt, d)
		}
		if most := r.WithDefaults().MaxAttempts; again != (attempt < most) {
			t.Fatalf("%+v: again after attempt %d is %t", r, attempt, again)
		}
	})
}
