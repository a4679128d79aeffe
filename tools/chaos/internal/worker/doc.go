// Package worker is the worker under chaos: the product's own store, runner,
// fleet and wake-ups, put together as cmd/worker does it, with handlers that
// misbehave when their payload says so. It writes down what it is given, what
// it does and what the store answers, and kills or stops itself at a named
// step when the stage tells it to.
//
// All that depends on the interfaces of the queue is in run.go, store.go and
// registry.go.
package worker
