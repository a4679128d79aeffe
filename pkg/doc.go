// Package pkg is the root of what the api and the worker share. It holds no
// code: each folder below has one reason to exist, and a package imports its
// own level or a lower one, never an adapter beside it.
//
//	L0  errs lifecycle config logging metrics instant      know nothing of jobs
//	L1  job schedule catalog                               vocabulary, no I/O
//	L2  queue wake fleet                                   ports and clients
//	L3  mongodb queue/mongoqueue wake/rediswake            adapters
//
// layers_test.go walks the imports and fails on an upward edge.
package pkg
