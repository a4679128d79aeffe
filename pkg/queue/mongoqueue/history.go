package mongoqueue

import (
	"context"
	"fmt"
	"log/slog"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
)

// RecordRuns implements queue.Consumer: new records for runs that were never
// opened, updates for the others. A record that the server refuses is written
// without what its run left.
func (s *Store) RecordRuns(ctx context.Context, endings []queue.Ending) (dropped int, err error) {
	var records []*runRecord
	for _, ending := range endings {
		if ending.Unstarted { // there was no run
			continue
		}
		run := s.runOf(ending.Lease)
		fillRun(run, ending)
		records = append(records, &runRecord{run: run, open: ending.Lease.RunOpen, lost: ending.Outcome == job.Lost})
	}
	for len(records) > 0 {
		part := records
		if len(part) > maxRecords {
			part = part[:maxRecords]
		}
		for size, i := 0, 0; i < len(part); i++ {
			if size += part[i].size(); size > maxCommand && i > 0 {
				part = part[:i]
			}
		}
		refused, err := s.writeRecords(ctx, part)
		dropped += refused
		if err != nil {
			return dropped, fmt.Errorf("record runs: %w", err)
		}
		records = records[len(part):]
	}
	return dropped, nil
}

// maxRecords bounds the records of one command.
const maxRecords = 1000

// runRecord is the end of one run on its way to the history.
type runRecord struct {
	run      *job.Run
	open     bool // there is a record, which is updated
	lost     bool
	stripped bool // what the run left is not written
}

// size estimates the bytes of the record.
func (r *runRecord) size() int {
	n := 400 + len(r.run.Error) + len(r.run.Stack) + len(r.run.Result.Value)
	for _, line := range r.run.Logs {
		n += 60 + len(line.Message)
	}
	return n
}

func (r *runRecord) model() mongo.WriteModel {
	switch {
	case r.open:
		return r.update()
	case r.lost:
		return lostRun(r.run, job.Lost)
	default:
		return mongo.NewInsertOneModel().SetDocument(r.run)
	}
}

// update writes the end into the record that is there. A peer may have taken
// the run for lost in the meantime; the fence of the job has decided otherwise.
func (r *runRecord) update() mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetFilter(bson.D{
		{Key: "_id", Value: r.run.ID},
		{Key: "outcome", Value: in([]job.Outcome{job.Open, job.Lost})},
	}).SetUpdate(set(runFields(r.run)))
}

// writeRecords returns how many records were dropped. An error means that the
// database could not be reached.
func (s *Store) writeRecords(ctx context.Context, records []*runRecord) (dropped int, err error) {
	models := make([]mongo.WriteModel, len(records))
	for i, r := range records {
		models[i] = r.model()
	}
	_, err = s.runs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	refused := refusedStatements(err)
	switch {
	case err == nil:
		return 0, nil
	case len(refused) > 0:
	case mongodb.IsUnavailable(err) || isForAll(err):
		return 0, err
	case len(records) > 1:
		half := len(records) / 2
		first, err := s.writeRecords(ctx, records[:half])
		if err != nil {
			return first, err
		}
		second, err := s.writeRecords(ctx, records[half:])
		return first + second, err
	default:
		refused = map[int]mongo.BulkWriteError{0: {WriteError: mongo.WriteError{Message: err.Error()}}}
	}
	for i, failure := range refused {
		n, err := s.writeRefusedRecord(ctx, records[i], failure)
		dropped += n
		if err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// writeRefusedRecord finds another form for a record: one that is there
// already is updated, and one that is refused for what the run left is written
// without that.
func (s *Store) writeRefusedRecord(ctx context.Context, r *runRecord, failure mongo.BulkWriteError) (dropped int, err error) {
	switch {
	case failure.Code == duplicateKey && !r.open:
		r.open = true
	case !r.stripped:
		r.strip(failure)
		s.options.Log.ErrorContext(ctx, "the database refuses the record of a run; it is stored without what the run left",
			slog.String("job_name", r.run.Name), slog.String("job_id", r.run.JobID.Hex()), slog.Any("error", failure))
	default:
		s.options.Log.ErrorContext(ctx, "the record of a run is dropped: the database refuses it",
			slog.String("job_name", r.run.Name), slog.String("job_id", r.run.JobID.Hex()), slog.Any("error", failure))
		return 1, nil
	}
	return s.writeRecords(ctx, []*runRecord{r})
}

func (r *runRecord) strip(failure error) {
	r.stripped = true
	reason := "the result and the log lines of this run could not be stored: " + errs.ShortenTo(failure.Error(), maxReason)
	if r.run.Error != "" {
		reason = errs.ShortenTo(r.run.Error, maxReason) + " (" + reason + ")"
	}
	r.run.Error, r.run.Stack, r.run.Result, r.run.Progress, r.run.Logs = reason, "", bson.RawValue{}, nil, nil
}

// writeRuns writes to the history without an ending. A record that is there
// already was written by an earlier call whose answer was lost, or by whoever
// rescued the job.
func (s *Store) writeRuns(ctx context.Context, models []mongo.WriteModel) error {
	if len(models) == 0 {
		return nil
	}
	_, err := s.runs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	for _, failure := range refusedStatements(err) {
		if failure.Code != duplicateKey {
			return err
		}
		err = nil
	}
	return err
}
