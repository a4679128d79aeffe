// Package history is what the processes under chaos write down: one file for
// each process, one line of JSON for each thing that happened. A line is one
// append to a file, so it survives kill -9 of its writer. The times of all
// lines are from one clock that no fault touches, the monotonic clock of the
// machine, so lines of different processes can be put in order.
package history
