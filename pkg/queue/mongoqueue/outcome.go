package mongoqueue

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// plansAgain reports that an ending plans another run of its tick.
func plansAgain(ending queue.Ending) bool {
	return ending.Outcome == job.Released || !ending.RunAgainAt.IsZero()
}

// onlyIf is what must hold beside the fence. A run that is to be repeated is
// not, when somebody has cancelled it; and a plan that somebody made during
// the run is not overwritten: Record looks again when this does not match.
func onlyIf(ending queue.Ending, plans bool) bson.D {
	var only bson.D
	if plansAgain(ending) {
		only = append(only, bson.E{Key: "cancelledAt", Value: nil})
	}
	if plans {
		only = append(only, bson.E{Key: "nextRunAt", Value: job.Date(ending.Lease.NextRunAt)})
	}
	return only
}

// outcomeUpdate is what the end of a run does to its job. The fields and null
// rules are those of Agenda 6's state save; nothing that Agenda does not
// write at the end of a run is written here, but for the fields that are ours.
func outcomeUpdate(ending queue.Ending) bson.D {
	if ending.Outcome == job.Released {
		return releaseUpdate(ending)
	}
	lease, document := ending.Lease, ending.Lease.Job
	finished := job.Date(ending.FinishedAt)
	fields := bson.D{{Key: "lockedAt", Value: nil}, {Key: "lastFinishedAt", Value: finished}}
	if lease.Ahead {
		fields = append(fields, bson.E{Key: "lastRunAt", Value: job.Date(lease.StartedAt)})
	}
	switch reason, failed := failure(ending); {
	case failed:
		fields = append(fields,
			bson.E{Key: "failedAt", Value: finished}, // Agendash 2-4 tells failure by equality with lastFinishedAt
			bson.E{Key: "failReason", Value: reason},
			bson.E{Key: "failCount", Value: job.Number(float64(document.FailCount + 1))})
	case document.FailCount > 0 && ending.Outcome == job.Succeeded:
		fields = append(fields, bson.E{Key: "failCount", Value: int32(0)})
	}
	unset := leaseFields(document.Resume != nil && ending.RunAgainAt.IsZero())
	if !ending.RunAgainAt.IsZero() {
		fields = append(fields,
			bson.E{Key: "nextRunAt", Value: job.Date(ending.RunAgainAt)},
			bson.E{Key: "resume", Value: resumeOf(ending).Fields()})
	}
	if ending.Progress != nil {
		fields = append(fields, bson.E{Key: "progress", Value: job.Number(ending.Progress.Percent)})
	}
	if document.ShouldSaveResult && ending.Outcome == job.Succeeded && !isNull(ending.Result) {
		fields = append(fields, bson.E{Key: "result", Value: ending.Result})
	}
	if ending.Outcome != job.Cancelled || document.Recurring() {
		unset = append(unset, bson.E{Key: "cancelledAt", Value: ""}) // a cancel ends with the run that it met
	}
	change := update(withNulls(fields, document), unset)
	if !document.Recurring() && ending.RunAgainAt.IsZero() {
		change = append(change, nullUnlessPlanned)
	}
	return change
}

// nullUnlessPlanned puts back the null that Agenda writes into nextRunAt at the
// start of a one-off run, where the claim has moved the date away. A plan that
// was made during the run is a date, which is more than null, and stays.
var nullUnlessPlanned = bson.E{Key: "$max", Value: bson.D{{Key: "nextRunAt", Value: nil}}}

// bareUpdate ends a run whose job is too full for anything else.
func bareUpdate(ending queue.Ending) bson.D {
	finished := job.Date(ending.FinishedAt)
	return update(bson.D{
		{Key: "lockedAt", Value: nil}, {Key: "lastFinishedAt", Value: finished}, {Key: "failedAt", Value: finished},
	}, leaseFields(true))
}

// leaseFields are our fields that end with a lease.
func leaseFields(resume bool) bson.D {
	unset := bson.D{{Key: "leaseHolder", Value: ""}, {Key: "leaseDue", Value: ""}}
	if resume {
		unset = append(unset, bson.E{Key: "resume", Value: ""})
	}
	return unset
}

// withNulls adds the nulls that Agenda 6 writes for fields that were absent.
func withNulls(fields bson.D, document *job.Document) bson.D {
	for _, name := range document.NullOnFinish() {
		present := false
		for _, field := range fields {
			present = present || field.Key == name
		}
		if !present {
			fields = append(fields, bson.E{Key: name, Value: nil})
		}
	}
	return fields
}

// releaseUpdate hands a job back. Like Agenda 6.2.6 it removes lockedAt rather
// than setting it to null. A job whose handler was never called is as if it
// had never been leased; of one that was interrupted, the next run continues
// the tick.
func releaseUpdate(ending queue.Ending) bson.D {
	lease := ending.Lease
	fields := bson.D{}
	unset := append(bson.D{{Key: "lockedAt", Value: ""}}, leaseFields(false)...)
	if r := resumeOf(ending); r.Attempt > 0 {
		fields = append(fields, bson.E{Key: "resume", Value: r.Fields()})
	}
	switch previous := lease.Previous; {
	case !ending.Unstarted:
		fields = append(fields, bson.E{Key: "lastRunAt", Value: job.Date(lease.StartedAt)})
	case previous.IsZero():
		unset = append(unset, bson.E{Key: "lastRunAt", Value: ""})
	default:
		fields = append(fields, bson.E{Key: "lastRunAt", Value: job.Date(previous)})
	}
	return update(append(fields, bson.E{Key: "nextRunAt", Value: job.Date(lease.Due)}), unset)
}

func update(fields, unset bson.D) bson.D {
	var u bson.D
	if len(fields) > 0 {
		u = set(fields)
	}
	if len(unset) > 0 {
		u = append(u, bson.E{Key: "$unset", Value: unset})
	}
	return u
}

// overlapped returns the tick after a run that lasted longer than its
// interval, when the ticks in between are to be dropped.
func (s *Store) overlapped(ending queue.Ending) (time.Time, bool) {
	lease := ending.Lease
	if !lease.SkipOverlap || lease.NextRunAt.IsZero() || lease.NextRunAt.After(ending.FinishedAt) ||
		!ending.RunAgainAt.IsZero() || ending.Outcome == job.Released {
		return time.Time{}, false
	}
	next := s.nextTick(lease.Job, ending.FinishedAt, ending.FinishedAt)
	return next, next.After(lease.NextRunAt)
}
