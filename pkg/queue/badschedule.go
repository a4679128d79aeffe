package queue

import "github.com/etrainer/backend/pkg/job"

// BadSchedule is a recurring job whose stored schedule has a problem: what is
// stored is not read as it stands, or not acted upon. Node stores it without a
// word, and so do hands.
type BadSchedule struct {
	Job *job.Document
	// Problem is what job.Document.Schedule says of it.
	Problem error
}

// Report is the problem for [Problems]. collection is that of the jobs.
func (b BadSchedule) Report(collection string) Problem {
	return Problem{
		Collection: collection, ID: b.Job.ID.Hex(), Name: b.Job.Name, What: b.Problem.Error(),
		Fix: `store a schedule that "worker schedule next" reads, in the document or by the every() of its Node process`,
	}
}
