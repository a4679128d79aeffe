package schema

import "go.mongodb.org/mongo-driver/v2/bson"

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

// Queue is the part of the schema that the queue needs; Go programs that use
// the queue alone need no other. jobs is the name of the job collection; "" =
// Jobs.
//
// The partial indexes hold only the few documents that are locked, failed or
// recurring, so they cost the common write nothing.
func Queue(jobs string) []Collection {
	if jobs == "" {
		jobs = Jobs
	}
	const counted = "counts and pages read more documents"
	return []Collection{
		{Name: jobs, Holds: "the jobs, shared with Node's Agenda", Indexes: []Index{
			{
				Name: AgendaIndex, Keys: keys("name", 1, "nextRunAt", 1, "priority", -1, "lockedAt", 1, "disabled", 1),
				Serves: "lease: what is due, by name, time and priority; the same as Agenda's own",
			},
			{
				Name: "oneSinglePerName", Keys: keys("name", 1, "type", 1), Unique: true,
				Partial: bson.D{{Key: "type", Value: "single"}},
				Serves:  "arm: one recurring job for each name, whoever inserts it",
				Without: "our own processes still make one, by its _id; Node processes can make doubles",
			},
			{Name: "leased", Keys: keys("lockedAt", 1), Partial: isDate("lockedAt"), Serves: "expired leases, rescue, counts and pages of running jobs", Without: counted},
			{Name: "planned", Keys: keys("nextRunAt", 1), Partial: isDate("nextRunAt"), Serves: "counts and pages of queued and scheduled jobs", Without: counted},
			{Name: "failed", Keys: keys("failedAt", 1), Partial: isDate("failedAt"), Serves: "counts and pages of failed and dead jobs", Without: counted},
			{
				Name: "recurring", Keys: keys("repeatInterval", 1), Partial: bson.D{{Key: "repeatInterval", Value: bson.D{{Key: "$gt", Value: ""}}}},
				Serves: "counts and pages of recurring jobs", Without: counted,
			},
		}},
		{Name: Runs, Holds: "one document for each run of a job", Indexes: []Index{
			{Name: "oneRunPerAttempt", Keys: keys("jobId", 1, "tick", 1, "attempt", 1), Unique: true, Serves: "one record for each attempt, whoever writes it"},
			{Name: "runsOfJob", Keys: keys("jobId", 1, "startedAt", -1), Serves: "the history of a job, newest first"},
			{Name: "runsOfWorker", Keys: keys("worker", 1, "outcome", 1), Serves: "rescue: the open runs of a worker that died"},
			{Name: "retention", Keys: keys("expiresAt", 1), TTL: true, Serves: "retention of run records", Without: "the job \"apply retention\" removes them"},
		}},
		{Name: Settings, Holds: "what operators set for a job name"},
		{Name: Instances, Holds: "every api and worker process that is alive"},
	}
}
