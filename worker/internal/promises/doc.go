// Package promises holds the tests of what the queue promises, with real
// processes that are killed and paused: one file for each promise. Each test
// fails when its promise is broken.
//
// The children are this test binary, run again as a worker (child_test.go),
// the real api, and the real worker where its own jobs are the point.
package promises
