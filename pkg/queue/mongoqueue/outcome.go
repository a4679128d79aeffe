package mongoqueue

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// outcomeUpdate is what the end of a run does to its job. The fields and null
// rules are those of Agenda 6's state save; nothing that Agenda does not
// write at the end of a run is written here, but for cancelledAt.
func outcomeUpdate(ending queue.Ending) bson.D {
	if ending.Outcome == job.Released {
		return releaseUpdate(ending)
	}
	document := ending.Lease.Job
	finished := job.Date(ending.FinishedAt)
	fields := bson.D{{Key: "lockedAt", Value: nil}, {Key: "lastFinishedAt", Value: finished}}
	unset := bson.D{}
	switch ending.Outcome {
	case job.Retrying, job.Dead:
		fields = append(fields,
			bson.E{Key: "failedAt", Value: finished}, // Agendash 2-4 tells failure by equality with lastFinishedAt
			bson.E{Key: "failReason", Value: ending.Error},
			bson.E{Key: "failCount", Value: job.Number(float64(document.FailCount + 1))})
	default:
		if document.FailCount > 0 && ending.Outcome == job.Succeeded {
			fields = append(fields, bson.E{Key: "failCount", Value: int32(0)})
		}
	}
	if !ending.RunAgainAt.IsZero() {
		fields = append(fields, bson.E{Key: "nextRunAt", Value: job.Date(ending.RunAgainAt)})
	}
	if ending.Progress != nil {
		fields = append(fields, bson.E{Key: "progress", Value: job.Number(ending.Progress.Percent)})
	}
	if document.ShouldSaveResult && ending.Outcome == job.Succeeded && !isNull(ending.Result) {
		fields = append(fields, bson.E{Key: "result", Value: ending.Result})
	}
	if ending.Outcome == job.Cancelled && document.Recurring() {
		unset = bson.D{{Key: "cancelledAt", Value: ""}} // only this run was cancelled
	}
	return update(withNulls(fields, document), unset)
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
// had never been leased; of one that was interrupted, lastRunAt leads the next
// holder to the record of this run.
func releaseUpdate(ending queue.Ending) bson.D {
	fields := bson.D{{Key: "nextRunAt", Value: job.Date(ending.Lease.Tick)}}
	unset := bson.D{{Key: "lockedAt", Value: ""}}
	switch previous := ending.Lease.Previous; {
	case !ending.Unstarted:
	case previous.IsZero():
		unset = append(unset, bson.E{Key: "lastRunAt", Value: ""})
	default:
		fields = append(fields, bson.E{Key: "lastRunAt", Value: job.Date(previous)})
	}
	return update(fields, unset)
}

func update(fields, unset bson.D) bson.D {
	u := set(fields)
	if len(unset) > 0 {
		u = append(u, bson.E{Key: "$unset", Value: unset})
	}
	return u
}
