// Package interop holds the tests that run Agenda 5.0.0 and 6.2.6, from npm,
// on one collection with our worker and api: what one side enqueues the other
// runs, both may compete for the same jobs, either may stop, crash or restart.
//
// Each file is about one meeting of the two: node_enqueues, api_enqueues,
// race, every, arm, indexes, crash, stop, dashboard and roundtrip. The parts
// that the tests are made of are in node_test.go (a Node process, driven over
// its standard input), worker_test.go (our worker, in this process),
// child_test.go (our worker as a process that can be killed), api_test.go
// (the real api program) and collection_test.go (the database).
//
// The Node side is the folder tools/interop of the repository. Its script
// "run" installs it, sets INTEROP_NODE to the folder and runs these tests;
// without that variable they are skipped. They need a MongoDB as all tests do:
// the embedded one, or a real one through TEST_MONGODB_URI.
package interop
