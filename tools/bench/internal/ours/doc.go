// Package ours is the worker under test: the product's own store, runner and
// wake-ups, put together as cmd/worker does it, with handlers that do next to
// nothing. It runs inside the benchmark, where its commands can be counted,
// or as a child process, which can be killed and whose memory can be read.
package ours
