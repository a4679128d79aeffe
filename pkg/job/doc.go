// Package job is the vocabulary of the queue: the document that Agenda 4, 5
// and 6 keep for each job, its states, priorities and outcomes. It performs
// no I/O and imports nothing of the queue, so every other package may speak
// in its terms.
//
// A [Document] decodes whatever any of the three Agenda versions wrote, with
// all their null rules, and encodes as Agenda 6.2.6 inserts. Facts that
// Agenda has no field for live in [Run] and [Settings], in collections beside
// the jobs, so that a Node process sharing the collection never meets a field
// that it could misread. The one addition is cancelledAt.
package job
