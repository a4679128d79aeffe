package job_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// full is a document with every field set that is ever written.
func full(t testing.TB) *job.Document {
	at := func(minutes int) time.Time { return instant.Add(time.Duration(minutes) * time.Minute) }
	return &job.Document{
		ID: oid, Name: "report", Type: job.Single, Data: rawOf(t, bson.D{{Key: "a", Value: "b"}}), Priority: 2.5,
		NextRunAt: at(1), LockedAt: at(2), LastRunAt: at(3), LastFinishedAt: at(4), FailedAt: at(5),
		FailReason: "boom", FailCount: 3, RepeatInterval: "5 minutes", RepeatTimezone: "Asia/Tokyo", RepeatAt: "noon",
		StartDate: at(6), EndDate: at(7), SkipDays: []time.Weekday{time.Sunday, time.Friday},
		Disabled: true, LastModifiedBy: "worker@w1", Progress: percent(12.5), Fork: true, DebounceStartedAt: at(8),
		ShouldSaveResult: true, Result: rawOf(t, "result"), CancelledAt: at(9),
	}
}

func TestDocumentRoundTrip(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]*job.Document{
		"every field": full(t),
		"none":        {ID: oid, Name: "report"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			got := &job.Document{}
			if err := bson.Unmarshal(bytesOf(t, want), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, sameDocument); diff != "" {
				t.Errorf("decoded from its own encoding (-want +got):\n%s", diff)
			}
		})
	}
}

// Agenda 6.2.6 inserts a one-time job with exactly these fields: null where
// nothing is set, and nothing of other versions or of ours.
func TestFreshDocumentIsAgendas(t *testing.T) {
	t.Parallel()
	fresh := &job.Document{ID: oid, Name: "report", Type: job.Normal, NextRunAt: instant}
	nulls := []string{
		"data", "lockedAt", "lastFinishedAt", "failedAt", "failCount", "failReason", "repeatTimezone", "lastRunAt", "repeatInterval",
		"repeatAt", "disabled", "progress", "debounceStartedAt", "fork", "startDate", "endDate", "skipDays", "lastModifiedBy",
	}
	want := bson.M{
		"_id": oid, "name": "report", "type": "normal", "priority": int32(0), "nextRunAt": bson.NewDateTimeFromTime(instant),
	}
	for _, name := range nulls {
		want[name] = nil
	}
	var got bson.M
	if err := bson.Unmarshal(bytesOf(t, fresh), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-Agenda +ours):\n%s", diff)
	}
}

func TestNumbersAreThoseOfAJavaScriptDriver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		number float64
		want   any
	}{
		{0, int32(0)},
		{-20, int32(-20)},
		{2147483647, int32(2147483647)},
		{2147483648, 2147483648.0},
		{-2147483648, int32(-2147483648)},
		{-2147483649, -2147483649.0},
		{0.5, 0.5},
	} {
		if got := job.Number(c.number); got != c.want {
			t.Errorf("Number(%v) is %T %v, want %T %v", c.number, got, got, c.want, c.want)
		}
	}
}

func TestDateIsCutToMilliseconds(t *testing.T) {
	t.Parallel()
	if got := job.Date(time.Time{}); got != nil {
		t.Errorf("the zero time is %v, want null", got)
	}
	precise := instant.Add(999 * time.Microsecond).In(time.FixedZone("there", 7*3600))
	if got, want := job.Date(precise), bson.NewDateTimeFromTime(instant); got != want {
		t.Errorf("%s is %v, want %v", precise, got, want)
	}
}

func TestDecodedInstantsAreInUTC(t *testing.T) {
	t.Parallel()
	document := decode(t, bson.E{Key: "nextRunAt", Value: instant}, bson.E{Key: "startDate", Value: float64(instant.UnixMilli())})
	for name, at := range map[string]time.Time{"nextRunAt": document.NextRunAt, "startDate": document.StartDate} {
		if at.Location() != time.UTC {
			t.Errorf("%s is in %s", name, at.Location())
		}
	}
}

func TestNullOnFinishListsWhatWasAbsent(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		fields []bson.E
		want   []string
	}{
		"all absent": {nil, []string{"progress", "failReason", "failCount", "failedAt"}},
		"all null": {[]bson.E{
			{Key: "progress", Value: nil}, {Key: "failReason", Value: nil}, {Key: "failCount", Value: nil}, {Key: "failedAt", Value: nil},
		}, nil},
		"some set": {[]bson.E{{Key: "failCount", Value: int32(1)}, {Key: "progress", Value: int32(5)}}, []string{"failReason", "failedAt"}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, decode(t, c.fields...).NullOnFinish()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeData(t *testing.T) {
	t.Parallel()
	type payload struct {
		User  string    `json:"user"`
		Count int       `json:"count"`
		At    time.Time `json:"at"`
	}
	untouched := payload{User: "before"}
	for title, c := range map[string]struct {
		data bson.RawValue
		want payload
		err  string
	}{
		"a document": {
			rawOf(t, bson.D{{Key: "user", Value: oid}, {Key: "count", Value: 3.0}, {Key: "at", Value: instant}, {Key: "extra", Value: 1}}),
			payload{oid.Hex(), 3, instant},
			"",
		},
		"none":       {bson.RawValue{}, untouched, ""},
		"null":       {bson.RawValue{Type: bson.TypeNull}, untouched, ""},
		"undefined":  {bson.RawValue{Type: bson.TypeUndefined}, untouched, ""},
		"wrong kind": {rawOf(t, bson.D{{Key: "count", Value: "many"}}), untouched, `decode data of job "report"`},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			got := untouched
			err := (&job.Document{Name: "report", Data: c.data}).DecodeData(&got)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
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

func TestRecurring(t *testing.T) {
	t.Parallel()
	for document, want := range map[*job.Document]bool{
		{}: false, {RepeatInterval: "5 minutes"}: true, {RepeatAt: "noon"}: true,
	} {
		if got := document.Recurring(); got != want {
			t.Errorf("%q %q: recurring is %t, want %t", document.RepeatInterval, document.RepeatAt, got, want)
		}
	}
}
