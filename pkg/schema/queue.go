package schema

import (
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The collections of the queue. Jobs is Agenda's, and can have another name.
const (
	Jobs      = "agendaJobs"
	Runs      = "agendaRuns"
	Settings  = "agendaSettings"
	Instances = "agendaInstances"
)

// AgendaIndex is the index that every version of Agenda makes. It must have
// exactly these keys: another key under its name stops a Node process at its
// start.
const AgendaIndex = "findAndLockNextJobIndex"

// FirstDate is the earliest date that JavaScript knows, in April of the year
// -271821: no process of Agenda stores one before it.
const FirstDate = bson.DateTime(-8_640_000_000_000_000)

// OpenRun is the outcome of a run that goes on; package job calls it Open.
const OpenRun = "running"

// Queue is the part of the schema that the queue needs; Go programs that use
// the queue alone need no other. jobs is the name of the job collection; "" =
// Jobs.
//
// The partial indexes hold only what is locked, planned, failed or recurring, so
// that finished jobs, which are the most, cost them nothing. Their conditions
// are comparisons and not $type: MongoDB knows from {$gte: a} that the bounds of
// an index are exact, and then counts without reading a document. A query uses
// one only when it repeats the condition: see IsDate and package plantest.
func Queue(jobs string) []Collection {
	if jobs == "" {
		jobs = Jobs
	}
	return []Collection{
		{Name: jobs, Holds: "the jobs, shared with Node's Agenda", Indexes: ofJobs()},
		{Name: Runs, Holds: "one document for each run of a job", Indexes: ofRuns()},
		{Name: Settings, Holds: "what operators set for a job name", Few: "one document for each job name"},
		{Name: Instances, Holds: "every api and worker process that is alive", Few: "one document for each process"},
	}
}

func ofJobs() []Index {
	const counted = "counts and pages read more documents"
	return []Index{
		{
			Name: AgendaIndex, Keys: keys("name", 1, "nextRunAt", 1, "priority", -1, "lockedAt", 1, "disabled", 1),
			Serves: "lease: what is due, by name, time and priority; the same as Agenda's own",
		},
		{
			Name: "oneSinglePerName", Keys: keys("name", 1, "type", 1), Unique: true,
			Partial: bson.D{{Key: "type", Value: "single"}}, Few: "one job for each name",
			Serves:  "arm: one recurring job for each name, whoever inserts it",
			Without: "our own processes still make one, by its _id; Node processes can make doubles",
		},
		{
			Name: "leases", Keys: keys("lockedAt", 1, "lastModifiedBy", 1), Partial: IsDate("lockedAt"), Few: "as many jobs as workers hold",
			Serves: "expired leases, rescue, counts and pages of running jobs", Without: counted,
		},
		{
			Name: "plans", Keys: keys("nextRunAt", 1, "_id", 1, "name", 1), Partial: IsDate("nextRunAt"),
			Serves: "counts and pages of queued and scheduled jobs, earliest first", Without: counted,
		},
		{
			Name: "failures", Keys: keys("failedAt", -1, "_id", -1, "name", 1), Partial: IsDate("failedAt"),
			Serves: "counts and pages of failed and dead jobs, newest failure first", Without: counted,
		},
		{
			Name: "recurring", Keys: keys("repeatInterval", 1), Partial: IsText("repeatInterval"), Few: "the recurring jobs",
			Serves: "counts and pages of recurring jobs", Without: counted,
		},
		{
			Name: "recurringByNumber", Keys: keys("repeatInterval", -1), Partial: IsNumber("repeatInterval"), Few: "the recurring jobs",
			Serves: "the same for jobs of Agenda 4 and 5 whose interval is a number of milliseconds", Without: counted,
		},
	}
}

func ofRuns() []Index {
	return []Index{
		{Name: "historyOfJob", Keys: keys("jobId", 1, "startedAt", -1, "attempt", -1), Serves: "the history of a job, newest first"},
		{
			Name: "openRuns", Keys: keys("worker", 1), Partial: bson.D{{Key: "outcome", Value: OpenRun}}, Few: "the runs that go on",
			Serves: "rescue: the open runs of a worker that died", Without: "rescue reads the whole history",
		},
		{
			Name: "retention", Keys: keys("expiresAt", 1), TTL: true,
			Serves: "retention of run records", Without: "the job \"apply retention\" removes them",
		},
	}
}

// retiredOfQueue are the indexes that an earlier release made.
func retiredOfQueue(jobs string) []Retired {
	if jobs == "" {
		jobs = Jobs
	}
	typed := func(field string) bson.D {
		return bson.D{{Key: field, Value: bson.D{{Key: "$type", Value: "date"}}}}
	}
	return []Retired{
		{jobs, Index{Name: "leased", Keys: keys("lockedAt", 1), Partial: typed("lockedAt")}, "leases"},
		{jobs, Index{Name: "planned", Keys: keys("nextRunAt", 1), Partial: typed("nextRunAt")}, "plans"},
		{jobs, Index{Name: "failed", Keys: keys("failedAt", 1), Partial: typed("failedAt")}, "failures"},
		{Runs, Index{Name: "runsOfJob", Keys: keys("jobId", 1, "startedAt", -1)}, "historyOfJob"},
		{Runs, Index{Name: "runsOfWorker", Keys: keys("worker", 1, "outcome", 1)}, "openRuns"},
		{Runs, Index{Name: "oneRunPerAttempt", Keys: keys("jobId", 1, "tick", 1, "attempt", 1), Unique: true}, "the _id of a run"},
	}
}

// IsDate is the condition of the partial indexes on a date that mostly is null.
// A query that does not repeat it cannot use them.
func IsDate(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$gte", Value: FirstDate}}}}
}

// IsText is the condition of the index on intervals in words: any text but "".
func IsText(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$gt", Value: ""}}}}
}

// IsNumber is the condition of the index on intervals that are numbers.
func IsNumber(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$gte", Value: int64(math.MinInt64)}}}}
}
