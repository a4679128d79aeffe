// Package supervise runs a program as a parent with n children of the same
// binary: the multi-process mode of the api and the worker.
//
//	            signals                              ┌───────────────┐
//	               │        listener (fd 3)          │ child 1       │
//	               ▼     ┌──────────────────────────▶│ accepts, works│
//	clients ──▶ ┌────────┴─┐ ◀─── reports (fd 4) ────│               │
//	            │  parent  │ ──── status  (fd 5) ───▶└───────────────┘
//	            └────────┬─┘                         ┌───────────────┐
//	                     └──────────────────────────▶│ child n       │
//	                                                 └───────────────┘
//
// # The parent
//
// The parent owns the listening socket and never accepts from it. Children
// accept from one shared queue, so no connection is refused while a child
// restarts: it waits for the next child. The parent reads nothing but reports,
// opens no database, and answers on the private port: /livez, /readyz (200
// while a child is ready), /metrics (its own, and those of the children with
// the label child) and /log-level, which children follow.
//
//		starting ──▶ ready ──▶ draining ──▶ ended
//		    │          │  a crash, or no report for HangAfter: SIGKILL
//		    └──────────┴──▶ waiting (pauses double, with jitter) ──▶ starting
//		                       └─ BrakeAfter crashes in a row ──▶ resting ──▶ starting
//
//	  - A child that ends by itself is replaced after a pause that doubles while
//	    it keeps ending before it has lived for SteadyAfter.
//	  - After BrakeAfter such ends its place rests for BrakeRest between attempts.
//	    When every place rests the parent ends with lifecycle.ExitFailed: nothing
//	    is served, and whoever supervises the parent should know.
//	  - A child that ends with lifecycle.ExitBadConfig says that no restart can
//	    help: the others drain, and the parent ends with the same code. A Go
//	    program that panics exits with 2 as well, so a child that has reported
//	    has to say that it means it: see Child.End.
//	  - SIGHUP and SIGUSR2 roll the children: for each place a new process
//	    starts, and when it is ready the old one drains; then the next place. The
//	    binary and CONFIG_FILE are read anew; variables of the environment are
//	    those of the parent. A new child that fails, or is not ready in time, ends
//	    the roll, and the old ones stay.
//	  - SIGTERM and SIGINT drain all children within the grace time. A second one
//	    kills them at once.
//
// # The child
//
// [Inherit] returns a [Child], or nil in a process that is none; every method
// of a nil Child does nothing, so a program has one code path for both. A child
// whose parent has died drains by itself.
//
// Shapes and names of the status are those of the Node backend's cluster
// manager, with the fields that it lacked.
package supervise
