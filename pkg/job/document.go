package job

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Type tells how Agenda created a job.
type Type string

// The types that Agenda writes.
const (
	// Normal is a job from now, schedule or create: any number per name.
	Normal Type = "normal"
	// Single is a job from every: one per name, found again by (name, type).
	Single Type = "single"
	// Once is what Agenda 4 and 5 call a document whose type was missing.
	Once Type = "once"
)

// Document is one job as it stands in Agenda's collection. A zero time means
// null or absent: Agenda makes no difference between the two except where a
// comment says so.
type Document struct {
	ID       bson.ObjectID
	Name     string
	Type     Type
	Data     bson.RawValue // any BSON value; zero or null when the caller passed none
	Priority float64       // higher runs first among jobs due at the same instant

	NextRunAt      time.Time // zero: not scheduled
	LockedAt       time.Time // zero: nobody holds a lease
	LastRunAt      time.Time // start of the newest run
	LastFinishedAt time.Time // end of the newest finished run
	FailedAt       time.Time // equals LastFinishedAt to the millisecond when the newest run failed
	FailReason     string
	FailCount      int // failures since the last success (Agenda before 6.2.6 never reset it)

	RepeatInterval string // cron, human interval or decimal milliseconds; "" when not recurring
	RepeatTimezone string
	RepeatAt       string // date.js phrase of repeatAt(); evaluated only when RepeatInterval is ""
	StartDate      time.Time
	EndDate        time.Time      // inclusive
	SkipDays       []time.Weekday // Agenda 6's array of 0..6
	SkipDaysText   string         // Agenda 4/5's human interval under the same name; not acted upon

	Disabled          bool
	LastModifiedBy    string
	Progress          *float64
	Fork              bool
	DebounceStartedAt time.Time
	ShouldSaveResult  bool // Agenda 4.3 to 5: store the handler's result in Result
	Result            bson.RawValue

	// CancelledAt is ours: somebody asked for this job to be cancelled. The
	// holder of the lease cancels the handler; a waiting job loses its plan. It
	// counts for the planning that it met, and not for a later one.
	CancelledAt time.Time

	// LeaseHolder and LeaseDue are ours, and there only while a worker of this
	// product holds the job: which one, and which nextRunAt it took.
	LeaseHolder string
	LeaseDue    time.Time
	// Resume is ours: what the run planned for NextRunAt continues; nil =
	// nothing.
	Resume *Resume

	// Size is the length of the decoded document in bytes.
	Size int

	absent     fieldSet
	repetition repetition
}

// fieldSet remembers which of the fields that a finished run must leave as
// explicit null were missing when the document was read.
type fieldSet uint8

const (
	absentProgress fieldSet = 1 << iota
	absentFailReason
	absentFailCount
	absentFailedAt
)

// NullOnFinish lists the fields that were absent when the document was read
// and that Agenda 6 writes as null with every state save.
func (d *Document) NullOnFinish() []string {
	var names []string
	for _, f := range []struct {
		bit  fieldSet
		name string
	}{
		{absentProgress, "progress"},
		{absentFailReason, "failReason"},
		{absentFailCount, "failCount"},
		{absentFailedAt, "failedAt"},
	} {
		if d.absent&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// Resume tells which tick a planned run continues. It counts only for a run
// that is planned for the instant At: whoever plans the job for another one
// makes it new, and no failure of before reaches it.
type Resume struct {
	At       time.Time // the nextRunAt that was written together with this
	Tick     time.Time // the planned time of the first attempt
	Attempt  int       // attempts so far
	Failures int       // failed and lost runs so far
	Lost     int       // of these, runs that the worker did not survive
	Ahead    bool      // it was leased ahead of an idle slot when its worker died, and must not be again
}

// Fields is the BSON form of a Resume.
func (r Resume) Fields() bson.D {
	fields := bson.D{
		{Key: "at", Value: Date(r.At)}, {Key: "tick", Value: Date(r.Tick)}, {Key: "attempt", Value: int32(r.Attempt)},
	}
	if r.Failures > 0 {
		fields = append(fields, bson.E{Key: "failures", Value: int32(r.Failures)})
	}
	if r.Lost > 0 {
		fields = append(fields, bson.E{Key: "lost", Value: int32(r.Lost)})
	}
	if r.Ahead {
		fields = append(fields, bson.E{Key: "ahead", Value: true})
	}
	return fields
}

// Recurring reports whether the job is to repeat, as Agenda decides it. Whether
// it has a next run, and when, is the answer of Schedule.
func (d *Document) Recurring() bool { return d.RepeatInterval != "" || d.RepeatAt != "" }

// DecodeData decodes the payload into target. A null or missing payload
// leaves target as it is. Anything but a document is decoded through JSON,
// so that a payload type with a custom JSON form works for scalars as well.
func (d *Document) DecodeData(target any) error {
	if d.Data.Type == 0 || d.Data.Type == bson.TypeNull || d.Data.Type == bson.TypeUndefined {
		return nil
	}
	text, err := d.DataJSON()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, target); err != nil {
		return fmt.Errorf("decode data of job %q: %w", d.Name, err)
	}
	return nil
}

// DataJSON renders the payload as plain JSON: ObjectIds as hex, dates as
// ISO 8601 with milliseconds, numbers as numbers. A missing payload is null.
func (d *Document) DataJSON() (json.RawMessage, error) {
	text, err := json.Marshal(PlainValue(d.Data))
	if err != nil {
		return nil, fmt.Errorf("render data of job %q: %w", d.Name, err)
	}
	return text, nil
}

// MarshalBSON encodes the document exactly as Agenda 6.2.6 inserts it: every
// field that it knows, null where nothing is set. Fields of older versions
// (shouldSaveResult, result) and cancelledAt appear only when set.
func (d *Document) MarshalBSON() ([]byte, error) { return bson.Marshal(d.Fields()) }

// Fields returns the document as the ordered fields that MarshalBSON encodes.
func (d *Document) Fields() bson.D {
	fields := bson.D{
		{Key: "_id", Value: d.ID},
		{Key: "name", Value: d.Name},
		{Key: "data", Value: orNullValue(d.Data)},
		{Key: "type", Value: string(d.Type)},
		{Key: "priority", Value: Number(d.Priority)},
		{Key: "nextRunAt", Value: Date(d.NextRunAt)},
		{Key: "lockedAt", Value: Date(d.LockedAt)},
		{Key: "lastFinishedAt", Value: Date(d.LastFinishedAt)},
		{Key: "failedAt", Value: Date(d.FailedAt)},
		{Key: "failCount", Value: nil},
		{Key: "failReason", Value: orNull(d.FailReason)},
		{Key: "repeatTimezone", Value: orNull(d.RepeatTimezone)},
		{Key: "lastRunAt", Value: Date(d.LastRunAt)},
		{Key: "repeatInterval", Value: orNull(d.RepeatInterval)},
		{Key: "repeatAt", Value: orNull(d.RepeatAt)},
		{Key: "disabled", Value: nil},
		{Key: "progress", Value: nil},
		{Key: "debounceStartedAt", Value: Date(d.DebounceStartedAt)},
		{Key: "fork", Value: nil},
		{Key: "startDate", Value: Date(d.StartDate)},
		{Key: "endDate", Value: Date(d.EndDate)},
		{Key: "skipDays", Value: nil},
		{Key: "lastModifiedBy", Value: orNull(d.LastModifiedBy)},
	}
	set := func(key string, value any) {
		for i := range fields {
			if fields[i].Key == key {
				fields[i].Value = value
				return
			}
		}
		fields = append(fields, bson.E{Key: key, Value: value})
	}
	if d.FailCount != 0 {
		set("failCount", Number(float64(d.FailCount)))
	}
	if d.Disabled {
		set("disabled", true)
	}
	if d.Progress != nil {
		set("progress", Number(*d.Progress))
	}
	if d.Fork {
		set("fork", true)
	}
	if len(d.SkipDays) > 0 {
		set("skipDays", WeekdayNumbers(d.SkipDays))
	}
	if !d.CancelledAt.IsZero() {
		set("cancelledAt", Date(d.CancelledAt))
	}
	if d.LeaseHolder != "" {
		set("leaseHolder", d.LeaseHolder)
	}
	if !d.LeaseDue.IsZero() {
		set("leaseDue", Date(d.LeaseDue))
	}
	if d.Resume != nil {
		set("resume", d.Resume.Fields())
	}
	if d.ShouldSaveResult {
		set("shouldSaveResult", true)
	}
	if d.Result.Type != 0 {
		set("result", d.Result)
	}
	return fields
}

// Date is the BSON form of an instant: null for the zero time, else UTC cut
// to the millisecond that BSON can hold.
func Date(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return bson.NewDateTimeFromTime(t)
}

// Number is the BSON form that a JavaScript driver chooses for a number:
// int32 when it is integral and fits, else double.
func Number(n float64) any {
	if n == math.Trunc(n) && n >= math.MinInt32 && n <= math.MaxInt32 {
		return int32(n)
	}
	return n
}

// WeekdayNumbers is the BSON form of skip days: numbers, Sunday = 0.
func WeekdayNumbers(days []time.Weekday) []int32 {
	numbers := make([]int32, len(days))
	for i, day := range days {
		numbers[i] = int32(day)
	}
	return numbers
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func orNullValue(v bson.RawValue) any {
	if v.Type == 0 {
		return nil
	}
	return v
}
