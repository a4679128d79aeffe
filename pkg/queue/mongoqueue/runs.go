package mongoqueue

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// A run that ends quickly is written once, at its end. One that goes on is
// opened first, so that it can be watched, and so that a crash leaves a trace.

// Open implements queue.Consumer. A run that was leased ahead has certainly
// begun now, and its job says so.
func (s *Store) Open(ctx context.Context, leases []*queue.Lease) error {
	var models, jobs []mongo.WriteModel
	for _, lease := range leases {
		if lease.RunOpen {
			continue
		}
		models = append(models, mongo.NewInsertOneModel().SetDocument(s.runOf(lease)))
		if lease.Ahead {
			jobs = append(jobs, fenced(lease, set(bson.D{{Key: "lastRunAt", Value: job.Date(lease.StartedAt)}})))
		}
	}
	if len(jobs) > 0 {
		if _, err := s.jobs.BulkWrite(ctx, jobs, options.BulkWrite().SetOrdered(false)); err != nil && refusedStatements(err) == nil {
			return fmt.Errorf("record that runs began: %w", err)
		}
	}
	if err := s.writeRuns(ctx, models); err != nil {
		return fmt.Errorf("open runs: %w", err)
	}
	for _, lease := range leases {
		lease.RunOpen = true
	}
	return nil
}

// Report implements queue.Consumer.
func (s *Store) Report(ctx context.Context, reports []queue.Ending) error {
	leases := make([]*queue.Lease, len(reports))
	for i := range reports {
		leases[i] = reports[i].Lease
	}
	if err := s.Open(ctx, leases); err != nil {
		return err
	}
	models := make([]mongo.WriteModel, 0, len(reports))
	var jobs []mongo.WriteModel
	for _, report := range reports {
		fields := bson.D{}
		if report.Progress != nil {
			fields = append(fields, bson.E{Key: "progress", Value: report.Progress})
			// Agenda's touch(progress) writes it to the job as well: dashboards show it.
			jobs = append(jobs, fenced(report.Lease, set(bson.D{{Key: "progress", Value: job.Number(report.Progress.Percent)}})))
		}
		if len(report.Logs) > 0 {
			fields = append(fields, bson.E{Key: "logs", Value: report.Logs}, bson.E{Key: "logsCut", Value: report.LogsCut})
		}
		if len(fields) > 0 {
			models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: report.Lease.RunID}}).SetUpdate(set(fields)))
		}
	}
	if err := s.writeRuns(ctx, models); err != nil {
		return fmt.Errorf("report on runs: %w", err)
	}
	if len(jobs) == 0 {
		return nil
	}
	_, err := s.jobs.BulkWrite(ctx, jobs, options.BulkWrite().SetOrdered(false))
	return wrap(err, "report progress")
}

func fillRun(run *job.Run, ending queue.Ending) {
	finished := ending.FinishedAt
	run.FinishedAt, run.Outcome = &finished, ending.Outcome
	run.Error, run.Stack, run.Result = ending.Error, ending.Stack, ending.Result
	run.Progress, run.Logs, run.LogsCut = ending.Progress, ending.Logs, ending.LogsCut
	run.DurationMS = max(finished.Sub(run.StartedAt).Milliseconds(), 0)
}

// runFields is what the end of an opened run changes.
func runFields(run *job.Run) bson.D {
	fields := bson.D{
		{Key: "outcome", Value: run.Outcome},
		{Key: "finishedAt", Value: job.Date(*run.FinishedAt)},
		{Key: "durationMs", Value: run.DurationMS},
	}
	add := func(key string, present bool, value any) {
		if present {
			fields = append(fields, bson.E{Key: key, Value: value})
		}
	}
	add("error", run.Error != "", run.Error)
	add("stack", run.Stack != "", run.Stack)
	add("result", run.Result.Type != 0, run.Result)
	add("progress", run.Progress != nil, run.Progress)
	add("logs", len(run.Logs) > 0, run.Logs)
	add("logsCut", run.LogsCut > 0, run.LogsCut)
	return fields
}

// runID names the record of a run by what everybody knows of it, so that
// whoever writes it, and however often, there is one record of each attempt.
// Like every ObjectId it begins with the time.
func runID(jobID bson.ObjectID, tick time.Time, attempt int) bson.ObjectID {
	var text [12 + 8 + 8]byte
	copy(text[:], jobID[:])
	binary.BigEndian.PutUint64(text[12:], uint64(tick.UnixMilli()))
	binary.BigEndian.PutUint64(text[20:], uint64(attempt))
	id := derivedID("run", string(text[:]))
	binary.BigEndian.PutUint32(id[:4], uint32(tick.Unix()))
	return id
}

// Runs implements queue.Inspector. A record that cannot be read is left out.
func (s *Store) Runs(ctx context.Context, id bson.ObjectID, limit int) ([]job.Run, error) {
	cursor, err := s.runs.Find(ctx, bson.D{{Key: "jobId", Value: id}},
		options.Find().SetSort(keys("startedAt", -1)).SetLimit(int64(min(max(limit, 1), maxPage))))
	if err != nil {
		return nil, fmt.Errorf("find runs: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	runs := []job.Run{}
	for cursor.Next(ctx) {
		var run job.Run
		if cursor.Decode(&run) == nil {
			runs = append(runs, run)
		}
	}
	return runs, wrap(cursor.Err(), "read runs")
}

// PurgeRuns removes records whose retention has ended, for engines that do
// not do it themselves. It returns how many there were.
func (s *Store) PurgeRuns(ctx context.Context, now time.Time) (int64, error) {
	result, err := s.runs.DeleteMany(ctx, bson.D{{Key: "expiresAt", Value: upTo(now)}})
	if err != nil {
		return 0, fmt.Errorf("purge runs: %w", err)
	}
	return result.DeletedCount, nil
}
