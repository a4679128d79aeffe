// Package stage is one seed at work: a database and a Redis of its own, the
// api, three workers and a Node process, each behind proxies, the load on
// them, the faults of a plan, and the quiet end in which everything must come
// right.
package stage
