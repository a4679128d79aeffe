// Package jobs is the HTTP face of the job queue: scheduling for
// applications, and listing, cancelling, retrying and pausing for operators.
// All of it is for administrators.
package jobs
