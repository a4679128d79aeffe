// Package mongoqueue implements queue.Store on the MongoDB collection of
// Node's Agenda 4, 5 and 6.
//
// Leasing costs three commands for any number of jobs: find the due ids over
// all names, claim them with one update that repeats the whole lock condition
// of Agenda, read back what carries our stamp. Each document is still claimed
// atomically. Every later write filters on the id, lockedAt and lastModifiedBy
// that this holder wrote last (the fence); what no longer matches is lost.
//
// Each file holds one transition: enqueue, arm, lease, renew, record, rescue,
// and what operators do in inspect and control.
//
// What this package writes equals what Agenda 6.2.6 writes, except for the
// rows of [Differences].
package mongoqueue
