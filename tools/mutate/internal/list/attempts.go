package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// The tick, the attempt and the failures of a job survive every crash, and a new
// plan makes a job new.
var attempts = []mutation.Mutation{
	{
		Name: "tick-claim", Removes: "A one-off job keeps its planned time when it is claimed.",
		In: store, Edits: []mutation.Edit{
			{Of: "search.kindOf", Old: `moves: !s.request.Expired || c.LeaseDue.IsZero(),`},
			{Of: "startsApart", Old: `|| !lease.Job.NextRunAt.IsZero()`},
		},
		Tests: port("tick, attempts and failures of a one-off job survive crashes", "a lease starts the run as Agenda does"),
	},
	{
		Name: "tick-start", Removes: "The start does not keep the planned time of a recurring job.",
		In: store, Edits: edit("startUpdate", `{{Key: "leaseDue", Value: job.Date(lease.Due)}}`, `{}`),
		Tests: port("tick and attempts of a recurring job survive crashes, whatever its policy"),
	},
	{
		Name: "resume-lease", Removes: "The next run of a tick does not continue it.",
		In: store, Edits: edit("Store.newLease", `r != nil && r.At.Equal(lease.Due)`, `r != nil && false`),
		Tests: port("a failure with a retry, then one for good"),
	},
	{
		Name: "resume-only-its-plan", Removes: "A new plan continues the attempts of the former one.",
		In: store, Edits: edit("Store.newLease", `r != nil && r.At.Equal(lease.Due)`, `r != nil`),
		Tests: port("a unique job that waits for its retry is new when it is enqueued anew"),
	},
	{
		Name: "resume-rescue", Removes: "A rescue forgets the attempts that failed before the crash.",
		In: store, Edits: edit("brokenRun", `r != nil && r.At.Equal(due)`, `r != nil && false`),
		Tests: port("a crash continues the attempts that failed before it"),
	},
	{
		Name: "resume-failures", Removes: "A failed attempt is not counted.",
		In: store, Edits: edit("resumeOf", `r.Failures++`, ``),
		Tests: port("a failure with a retry, then one for good"),
	},
	{
		Name: "resume-unstarted", Removes: "A job that was handed back before its start has lost an attempt.",
		In: store, Edits: edit("resumeOf", `r.Attempt--`, ``),
		Tests: port("a released job is as it was before"),
	},
	{
		Name: "crash-failures", Removes: "A run that was lost in a crash is no failure.",
		In: store, Edits: edit("charge", `*failures += runs`, `_ = failures`),
		Tests: port("tick, attempts and failures of a one-off job survive crashes"),
	},
	{
		Name: "crash-lost", Removes: "A run that was lost in a crash is not counted as lost.",
		In: store, Edits: edit("charge", `*lost += runs`, `_ = lost`),
		Tests: port("tick, attempts and failures of a one-off job survive crashes"),
	},
	{
		Name: "expired-failures", Removes: "A run whose lock expired is no failure.",
		In: store, Edits: edit("breakOff", `charge(&lease.Failures, &lease.Lost, brokenRun(before).Ahead)`, ``),
		Tests: port("tick, attempts and failures of a one-off job survive crashes"),
	},
	{
		Name: "expired-attempt", Removes: "A run whose lock expired was no attempt.",
		In: store, Edits: edit("breakOff", `lease.Attempt++`, ``),
		Tests: port("tick, attempts and failures of a one-off job survive crashes"),
	},
	{
		Name: "expired-kept", Removes: "The attempts after an expired lock are not stored, and the next crash forgets them.",
		In: store, Edits: edit("startUpdate", `search.request.Expired && lease.Attempt > 1`, `false`),
		Tests: port("tick, attempts and failures of a one-off job survive crashes"),
	},
	{
		Name: "ahead-uncharged", Removes: "A job that was leased ahead counts as begun.",
		In: store, Edits: edit("search.kindOf", `starts: !c.ahead`, `starts: true`),
		Tests: port("a job that was leased ahead is not charged, and then is not leased ahead"),
	},
	{
		Name: "ahead-mark", Removes: "A job that was leased ahead by a worker that died is leased ahead again.",
		In: store, Edits: edit("releaseOf", `broken.Ahead = true`, ``),
		Tests: port("a job that was leased ahead is not charged, and then is not leased ahead"),
	},
	{
		Name: "ahead-mark-read", Removes: "The mark of such a job is not looked at.",
		In: store, Edits: edit("search.take", `|| mayEndWorkers(document.Resume)`, ``),
		Tests: port("a job that was leased ahead is not charged, and then is not leased ahead"),
	},
	{
		Name: "ahead-charged", Removes: "A job that ends its workers is not charged a run for which it was leased ahead.",
		In: store, Edits: edit("charge", `runs = 2`, `runs = 1`),
		Tests: port("a job that ends its worker, leased ahead or not, is charged each of its runs"),
	},
}
