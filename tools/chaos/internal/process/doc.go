// Package process runs the processes under chaos: each is started again when
// it ends, as an orchestrator does, can be killed, stopped and continued, and
// ends with this process, however that ends.
package process
