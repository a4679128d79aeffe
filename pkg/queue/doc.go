// Package queue is the port of the job queue: what can be asked of it, in
// terms of package job, and the [Client] that applications enqueue with.
//
// # Promises
//
// At least once: a job whose Enqueue was acknowledged runs until an outcome
// is recorded; an acknowledgement means that a majority of the replica set
// has it in its journal. At most one worker holds a valid lease, and one that
// lost it cannot record a result. A recurring tick is created at most once.
// Effects outside the database may happen twice.
//
// # Sharing with Agenda
//
// The jobs live in the collection of Node's Agenda 5 or 6. Processes of both
// kinds may enqueue, run and inspect the same jobs at the same time.
package queue
