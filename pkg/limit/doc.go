// Package limit is the port for "at most so many in so long", counted across
// every process that asks: requests of one client, failed logins of one account,
// messages to a push service.
//
// A [Rule] is a sliding window: what was taken counts for one window and is then
// free again. A [Store] keeps the counts: package redislimit where every replica
// sees them, [Memory] within one process, and [Fallback] in the one while it
// answers, else in the other. [Batched] stands before a shared store, so that
// fast clients do not cost it a call each time.
package limit
