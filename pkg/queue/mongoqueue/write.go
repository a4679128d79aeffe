package mongoqueue

import (
	"context"
	"errors"
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

// maxCommand bounds the bytes of one command to the jobs or the history, well
// below the 48 MB that a server accepts.
const maxCommand = 8 << 20

// statement is one update of a command, for endings of one claim that change
// their jobs in the same way.
type statement struct {
	update  bson.D
	only    bson.D // what must hold beside the fence
	members []*settlement
	size    int
}

// write sends endings, and returns those whose job did not match. One that the
// database refuses for itself never holds back the others: it is written in a
// smaller form.
func (s *Store) write(ctx context.Context, all []*settlement) (unmatched []*settlement, err error) {
	for _, part := range inParts(s.statements(all)) {
		missed, err := s.writePart(ctx, part)
		if err != nil {
			return unmatched, err
		}
		unmatched = append(unmatched, missed...)
	}
	return unmatched, nil
}

// inParts splits statements so that each part fits into a command.
func inParts(all []*statement) [][]*statement {
	var parts [][]*statement
	size := 0
	for _, each := range all {
		if len(parts) == 0 || size > 0 && size+each.size > maxCommand {
			parts, size = append(parts, nil), 0
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], each)
		size += each.size
	}
	return parts
}

func (s *Store) writePart(ctx context.Context, part []*statement) ([]*settlement, error) {
	models := make([]mongo.WriteModel, len(part))
	total := 0
	for i, each := range part {
		models[i] = each.model()
		total += len(each.members)
	}
	result, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	switch refused := refusedStatements(err); {
	case err == nil && int(result.MatchedCount) == total:
		return nil, nil
	case err == nil:
		return members(part), nil
	case len(refused) > 0:
		return s.writeRefused(ctx, part, refused, int(result.MatchedCount) == total-countOf(part, refused))
	case mongodb.IsUnavailable(err) || isForAll(err):
		return nil, err
	case len(part) > 1: // the command as a whole was refused: find out for which part
		half := len(part) / 2
		first, err := s.writePart(ctx, part[:half])
		if err != nil {
			return nil, err
		}
		second, err := s.writePart(ctx, part[half:])
		return append(first, second...), err
	default:
		return s.writeRefused(ctx, part, map[int]mongo.BulkWriteError{0: {WriteError: mongo.WriteError{Message: err.Error()}}}, true)
	}
}

// writeRefused sends what the server refused once more: members of one
// statement alone, and one that stood alone in a smaller form. othersMatched
// says of the other statements that all their jobs matched.
func (s *Store) writeRefused(ctx context.Context, part []*statement, refused map[int]mongo.BulkWriteError, othersMatched bool) ([]*settlement, error) {
	var again, unmatched []*settlement
	for i, each := range part {
		failure, isRefused := refused[i]
		switch {
		case !isRefused && !othersMatched:
			unmatched = append(unmatched, each.members...)
		case !isRefused:
		case len(each.members) > 1:
			again = append(again, each.members...)
		case s.reduce(ctx, each.members[0], failure):
			again = append(again, each.members[0])
		}
	}
	if len(again) == 0 {
		return unmatched, nil
	}
	alone := make([]*statement, len(again))
	for i, each := range again {
		alone[i] = s.statementOf(each)
		alone[i].encode()
	}
	var err error
	for _, part := range inParts(alone) {
		missed, failure := s.writePart(ctx, part)
		unmatched, err = append(unmatched, missed...), errors.Join(err, failure)
	}
	return unmatched, err
}

// reduce makes an ending smaller, and reports whether there is anything left
// to try.
func (s *Store) reduce(ctx context.Context, each *settlement, failure error) bool {
	lease := each.ending.Lease
	each.form++
	if each.form == forms {
		s.refuseJob(ctx, lease.Job.ID, lease.Job.Name, "record the outcome of this job", failure)
		*each.result = fmt.Errorf("%w: %w", queue.ErrRefused, failure)
		return false
	}
	s.options.Log.ErrorContext(ctx, "the database refuses an outcome; the job is recorded as dead, without what its run left",
		slog.String("job_name", lease.Job.Name), slog.String("job_id", lease.Job.ID.Hex()),
		slog.String("outcome", string(each.ending.Outcome)), slog.Any("error", failure))
	*each.ending = queue.Ending{
		Lease: lease, Outcome: job.Dead, FinishedAt: each.ending.FinishedAt, Logs: each.ending.Logs, LogsCut: each.ending.LogsCut,
		Error: fmt.Sprintf("the run ended as %s, but the database refuses to store that: %s",
			each.ending.Outcome, errs.ShortenTo(failure.Error(), maxReason)),
	}
	return true
}

// isForAll reports an error that is not about any one document.
func isForAll(err error) bool {
	var partial mongo.BulkWriteException
	if errors.As(err, &partial) && partial.WriteConcernError != nil {
		return true
	}
	server, ok := errors.AsType[mongo.ServerError](err)
	return ok && (server.HasErrorCode(codeUnauthorized) || server.HasErrorCode(codeAuthenticationFailed))
}

// Codes of the server that say that this user may not do this at all.
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
)

func (each *statement) model() mongo.WriteModel {
	leases := make([]*queue.Lease, len(each.members))
	for i, member := range each.members {
		leases[i] = member.ending.Lease
	}
	filter := append(held(leases), each.only...)
	if len(leases) == 1 {
		return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(each.update)
	}
	return mongo.NewUpdateManyModel().SetFilter(filter).SetUpdate(each.update)
}

func members(part []*statement) []*settlement {
	var all []*settlement
	for _, each := range part {
		all = append(all, each.members...)
	}
	return all
}

func countOf(part []*statement, refused map[int]mongo.BulkWriteError) int {
	n := 0
	for i := range refused {
		n += len(part[i].members)
	}
	return n
}

// statements groups endings of one claim that change their jobs alike.
func (s *Store) statements(all []*settlement) []*statement {
	byKey := map[string]*statement{}
	var order []*statement
	for _, each := range all {
		one := s.statementOf(each)
		raw := one.encode()
		if raw == nil { // a result that does not encode: the driver will say so, of it alone
			order = append(order, one)
			continue
		}
		lease := each.ending.Lease
		key := fmt.Sprintf("%d %s %s", lease.Stamp.UnixMilli(), lease.Holder, raw)
		if same := byKey[key]; same != nil {
			same.members = append(same.members, each)
			same.size += idSize
			continue
		}
		byKey[key] = one
		order = append(order, one)
	}
	return order
}

// encode returns what the statement does, and notes how large that is; nil = it
// does not encode.
func (each *statement) encode() []byte {
	raw, err := bson.Marshal(bson.D{{Key: "u", Value: each.update}, {Key: "o", Value: each.only}})
	if err != nil {
		return nil
	}
	each.size = len(raw)
	return raw
}

// idSize is what one more id adds to a statement.
const idSize = 24

func (s *Store) statementOf(each *settlement) *statement {
	ending := *each.ending
	update, plans := outcomeUpdate(ending), !ending.RunAgainAt.IsZero()
	switch {
	case each.form == bare:
		update = bareUpdate(ending)
	case ending.Outcome == job.Released:
		plans = !ending.Lease.Job.Recurring()
	}
	if next, ok := s.overlapped(ending); ok && !each.keepPlan && each.form == whole {
		// The ticks that passed during the run are dropped.
		update, plans = withSet(update, "nextRunAt", job.Date(next)), true
	}
	return &statement{update: update, only: onlyIf(ending, plans), members: []*settlement{each}}
}

// withSet adds a field to the $set of an update, which is its first operator.
func withSet(update bson.D, key string, value any) bson.D {
	fields, _ := update[0].Value.(bson.D)
	fields = append(fields, bson.E{Key: key, Value: value})
	update[0].Value = fields
	return update
}
