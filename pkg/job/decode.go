package job

import (
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// UnmarshalBSON decodes a document of any Agenda version. It accepts int32,
// int64 and double for every number, null for every optional field, numbers
// where Agenda 4 and 5 stored dates as milliseconds, and ignores what it does
// not know (for example the stale "state" that Agendash 8 leaves behind). A
// value of a type that Agenda itself cannot use, such as text in nextRunAt,
// counts as unset: that is how Agenda's queries treat it.
func (d *Document) UnmarshalBSON(data []byte) error {
	elements, err := bson.Raw(data).Elements()
	if err != nil {
		return fmt.Errorf("decode job document: %w", err)
	}
	*d = Document{Size: len(data), absent: absentProgress | absentFailReason | absentFailCount | absentFailedAt}
	for _, element := range elements {
		d.decodeField(element.Key(), element.Value())
	}
	d.inUTC()
	if d.Name == "" {
		return fmt.Errorf("decode job document %s: it has no name", d.ID.Hex())
	}
	return nil
}

func (d *Document) decodeField(key string, v bson.RawValue) {
	switch key {
	case "_id":
		d.ID, _ = v.ObjectIDOK()
	case "name":
		d.Name, _ = v.StringValueOK()
	case "type":
		text, _ := v.StringValueOK()
		d.Type = Type(text)
	case "data":
		d.Data = owned(v)
	case "priority":
		d.Priority = PriorityOf(v)
	case "nextRunAt":
		d.NextRunAt, _ = v.TimeOK()
	case "lockedAt":
		d.LockedAt, _ = v.TimeOK()
	case "lastRunAt":
		d.LastRunAt, _ = v.TimeOK()
	case "lastFinishedAt":
		d.LastFinishedAt, _ = v.TimeOK()
	case "failedAt":
		d.FailedAt, _ = v.TimeOK()
		d.absent &^= absentFailedAt
	case "failReason":
		d.FailReason, _ = v.StringValueOK()
		d.absent &^= absentFailReason
	case "failCount":
		d.FailCount = count(v)
		d.absent &^= absentFailCount
	case "progress":
		if n, ok := numberOK(v); ok {
			d.Progress = &n
		}
		d.absent &^= absentProgress
	default:
		d.decodeOther(key, v)
	}
}

func (d *Document) decodeOther(key string, v bson.RawValue) {
	switch key {
	case "disabled":
		d.Disabled, _ = v.BooleanOK()
	case "lastModifiedBy":
		d.LastModifiedBy, _ = v.StringValueOK()
	case "fork":
		d.Fork, _ = v.BooleanOK()
	case "debounceStartedAt":
		d.DebounceStartedAt, _ = v.TimeOK()
	case "shouldSaveResult":
		d.ShouldSaveResult, _ = v.BooleanOK()
	case "result":
		d.Result = owned(v)
	default:
		d.decodeLease(key, v)
	}
}

// decodeLease reads the fields that are ours.
func (d *Document) decodeLease(key string, v bson.RawValue) {
	switch key {
	case "cancelledAt":
		d.CancelledAt, _ = v.TimeOK()
	case "leaseHolder":
		d.LeaseHolder, _ = v.StringValueOK()
	case "leaseDue":
		d.LeaseDue, _ = v.TimeOK()
	case "resume":
		d.Resume = resume(v)
	default:
		d.decodeRepetition(key, v)
	}
}

// resume reads a Resume; one without its instant or its tick is none.
func resume(v bson.RawValue) *Resume {
	document, ok := v.DocumentOK()
	if !ok {
		return nil
	}
	var r Resume
	var hasAt, hasTick bool
	r.At, hasAt = document.Lookup("at").TimeOK()
	r.Tick, hasTick = document.Lookup("tick").TimeOK()
	if !hasAt || !hasTick {
		return nil
	}
	r.At, r.Tick = r.At.UTC(), r.Tick.UTC()
	r.Attempt = count(document.Lookup("attempt"))
	r.Failures, r.Lost = count(document.Lookup("failures")), count(document.Lookup("lost"))
	r.Ahead, _ = document.Lookup("ahead").BooleanOK()
	return &r
}

// inUTC keeps every instant in UTC: the driver decodes to the local zone.
func (d *Document) inUTC() {
	for _, t := range []*time.Time{
		&d.NextRunAt, &d.LockedAt, &d.LastRunAt, &d.LastFinishedAt, &d.FailedAt,
		&d.StartDate, &d.EndDate, &d.DebounceStartedAt, &d.CancelledAt, &d.LeaseDue,
	} {
		if !t.IsZero() {
			*t = t.UTC()
		}
	}
}

// owned copies a raw value, because the driver reuses the buffer of a batch.
func owned(v bson.RawValue) bson.RawValue {
	return bson.RawValue{Type: v.Type, Value: append([]byte(nil), v.Value...)}
}

func numberOK(v bson.RawValue) (float64, bool) {
	switch v.Type {
	case bson.TypeInt32:
		n, ok := v.Int32OK()
		return float64(n), ok
	case bson.TypeInt64:
		n, ok := v.Int64OK()
		return float64(n), ok
	case bson.TypeDouble:
		n, ok := v.DoubleOK()
		return n, ok && !math.IsNaN(n)
	default:
		return 0, false
	}
}

func number(v bson.RawValue) float64 {
	n, _ := numberOK(v)
	return n
}

// count is a number of times: garbage is 0, and nothing is beyond what int32
// holds.
func count(v bson.RawValue) int {
	n, ok := numberOK(v)
	if !ok {
		return 0
	}
	return int(min(max(n, 0), math.MaxInt32))
}
