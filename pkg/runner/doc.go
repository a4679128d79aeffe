// Package runner runs jobs: it leases what is due, calls the typed handlers,
// keeps the leases alive and records what became of each run.
//
// Each part is one file and owns its goroutine:
//
//	fetcher    leases due jobs into the table       stops first
//	executor   runs handlers in their slots         stops second, within the grace time
//	keeper     renews leases, stores progress, notices cancel requests
//	recorder   stores outcomes in batches           stops after the last handler
//	presence   heartbeat, and rescue of dead peers  stops last
//
// Fetching, working and recording have separate contexts, so that stopping
// one never cuts the next: a run that finished is recorded even while the
// process is being stopped.
//
// What a handler may do with its context is in handler.go: report progress,
// write log lines to the run, check that the lease still stands. What it may
// return beside a result is in verdict.go.
package runner
