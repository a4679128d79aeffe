package mongoqueue

import (
	"bytes"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schema"
)

// A walk passes the documents that may have a state, in an order that an index
// gives, so that a page costs the same whatever the collection holds:
//
//	running     newest first, by _id        index leases, which is small
//	failed      newest failure first        index failures
//	repeating   newest first, by _id        indexes recurring…, which are small
//	scheduled   soonest first               index plans, by name Agenda's index
//	queued      due for longest first       the same
//	completed   newest first, by _id        index on _id
//	all         newest first, by _id        index on _id
//
// No index finds finished jobs by name: it would cost every job a write. Those of
// a rare name are read together, and among others a page looks at maxLooked
// documents and then gives a cursor.

// dates is the order of a walk by a date and then by _id.
type dates struct {
	field     string
	direction int // 1 = earliest first
}

var byDate = map[job.State]dates{
	job.Failed:    {"failedAt", -1},
	job.Scheduled: {"nextRunAt", 1},
	job.Queued:    {"nextRunAt", 1},
}

// few are the conditions of the walks over what is little in any collection.
var few = map[job.State]bson.D{
	job.Running: {{Key: "lockedAt", Value: anyDate}},
	job.Repeating: {{Key: "$or", Value: bson.A{
		schema.IsText("repeatInterval"), schema.IsNumber("repeatInterval"),
	}}},
}

const (
	// fewOfName is how many jobs of the asked names are read together.
	fewOfName = 1000
	// maxSpan is how many documents one look of a walk by date asks for.
	maxSpan = 1000
)

// The ends of what _id can be. Comparing with one of them also leaves out the
// documents whose _id is of another type.
var firstID, lastID = bson.ObjectID{}, bson.ObjectID(bytes.Repeat([]byte{0xff}, 12))

// walk goes on from a position, or from the beginning.
func (l *list) walk(ctx context.Context, from *position) error {
	if order, ok := byDate[l.state]; ok {
		return l.walkDates(ctx, order, from)
	}
	if condition, ok := few[l.state]; ok {
		return l.walkIDs(ctx, l.named(condition), from)
	}
	if len(l.filter.Names) > 0 {
		if whole, err := l.walkNames(ctx, from); whole || err != nil {
			return err
		}
	}
	return l.walkIDs(ctx, nil, from)
}

// walkEdge is the _id before which no document of an instant comes.
func (l *list) walkEdge() bson.ObjectID {
	if byDate[l.state].direction > 0 {
		return firstID
	}
	return lastID
}

// named adds the condition on the name, where the index of a walk has it.
func (l *list) named(condition bson.D) bson.D {
	if len(l.filter.Names) == 0 {
		return condition
	}
	return append(bson.D{{Key: "name", Value: in(l.filter.Names)}}, condition...)
}

// walkIDs goes through _id from the newest on.
func (l *list) walkIDs(ctx context.Context, condition bson.D, from *position) error {
	older := bson.D{{Key: "$lte", Value: lastID}}
	if from != nil {
		older = bson.D{{Key: "$lt", Value: from.id}}
	}
	filter := append(slices.Clone(condition), bson.E{Key: "_id", Value: older})
	return l.find(ctx, filter, options.Find().SetSort(keys("_id", -1)).SetLimit(int64(maxLooked-l.looked)))
}

// find shows a walk what a query finds.
func (l *list) find(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder) error {
	cursor, err := l.store.jobs.Find(ctx, filter, o.SetBatchSize(int32(l.room())))
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(ctx) }()
	for n := 1; !l.done && cursor.Next(ctx); n++ {
		at, _ := cursor.Current.Lookup(byDate[l.state].field).DateTimeOK()
		l.see(cursor.Current, bson.DateTime(at))
		if cursor.RemainingBatchLength() == 0 { // not all of them were asked for
			cursor.SetBatchSize(int32(min(max(l.room(), n/2), maxSpan)))
		}
	}
	return cursor.Err()
}

// walkNames reads the jobs of the names together, and reports whether these were
// all: there may be too many.
func (l *list) walkNames(ctx context.Context, from *position) (whole bool, err error) {
	cursor, err := l.store.jobs.Find(ctx, l.named(nil), inOneAnswer(fewOfName+1).SetProjection(stateFields))
	if err != nil {
		return false, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	var ids []bson.ObjectID
	n := 0
	for ; cursor.Next(ctx); n++ {
		document := &job.Document{}
		if document.UnmarshalBSON(cursor.Current) != nil || document.ID.IsZero() || !l.selects(document) {
			continue
		}
		if from == nil || bytes.Compare(document.ID[:], from.id[:]) < 0 {
			ids = append(ids, document.ID)
		}
	}
	if err := cursor.Err(); err != nil || n > fewOfName {
		return false, err
	}
	slices.SortFunc(ids, func(a, b bson.ObjectID) int { return bytes.Compare(b[:], a[:]) })
	ids = ids[:min(len(ids), l.room())]
	if len(ids) == 0 {
		return true, nil
	}
	return true, l.find(ctx, bson.D{among(ids)}, options.Find().SetSort(keys("_id", -1)))
}

// walkDates goes through the dates: first through what is left of the instant of
// the position.
func (l *list) walkDates(ctx context.Context, order dates, from *position) error {
	var behind *bson.DateTime
	if from != nil {
		behind = &from.at
		if err := l.instant(ctx, order, from.at, from.id); err != nil || l.done {
			return err
		}
	}
	if len(l.filter.Names) > 0 && order.field == "nextRunAt" {
		return l.walkSpans(ctx, order, behind)
	}
	filter := l.named(bson.D{{Key: order.field, Value: l.between(behind)}, {Key: "_id", Value: bson.D{{Key: "$gte", Value: firstID}, {Key: "$lte", Value: lastID}}}})
	return l.find(ctx, filter, options.Find().SetSort(keys(order.field, order.direction, "_id", order.direction)).SetLimit(int64(maxLooked-l.looked)))
}

// instant goes through the documents of one instant, behind an _id.
func (l *list) instant(ctx context.Context, order dates, at bson.DateTime, behind bson.ObjectID) error {
	operator := "$gt"
	if order.direction < 0 {
		operator = "$lt"
	}
	return l.find(ctx, l.named(bson.D{
		{Key: order.field, Value: append(within("$eq", at), noArray)},
		{Key: "_id", Value: bson.D{{Key: operator, Value: behind}}},
	}), options.Find().SetSort(keys("_id", order.direction)).SetLimit(int64(maxLooked-l.looked)))
}

// walkSpans goes through the dates by Agenda's index, which has the name before
// them. It gives no order among the documents of one instant, and a look may end
// amidst them: those of its last instant are looked for by themselves.
func (l *list) walkSpans(ctx context.Context, order dates, behind *bson.DateTime) error {
	// One more than there is room for: the last one is the one that is cut off.
	for size := l.room() + 1; !l.done; size = min(4*size, maxSpan) {
		cut, err := l.span(ctx, order, behind, size)
		if err != nil || cut == nil {
			return err
		}
		if err := l.instant(ctx, order, *cut, l.walkEdge()); err != nil {
			return err
		}
		behind = cut
	}
	return nil
}

// span goes through the instants behind one, as far as size documents reach. It
// returns the instant amidst which it ended; nil = the walk ends here.
func (l *list) span(ctx context.Context, order dates, behind *bson.DateTime, size int) (cut *bson.DateTime, err error) {
	cursor, err := l.store.jobs.Find(ctx, l.named(bson.D{{Key: order.field, Value: l.between(behind)}}),
		inOneAnswer(size).SetSort(keys(order.field, order.direction)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	var group []bson.Raw
	var at bson.DateTime
	n, kept := 0, 0
	for ; kept < maxBytes && cursor.Next(ctx); n++ {
		next := bson.DateTime(cursor.Current.Lookup(order.field).DateTime())
		if len(group) > 0 && next != at {
			if l.seeAll(order, group, at); l.done {
				return nil, nil
			}
			group, kept = nil, 0
		}
		at = next
		group, kept = append(group, slices.Clone(cursor.Current)), kept+len(cursor.Current)
	}
	if err := cursor.Err(); err != nil {
		return nil, err
	}
	if n == size || kept >= maxBytes {
		return &at, nil
	}
	l.seeAll(order, group, at)
	return nil, nil
}

// seeAll takes the documents of one instant in order. Those with an _id of
// another type come first, where no position is behind them.
func (l *list) seeAll(order dates, group []bson.Raw, at bson.DateTime) {
	id := func(raw bson.Raw) bson.ObjectID {
		if id, ok := raw.Lookup("_id").ObjectIDOK(); ok {
			return id
		}
		return l.walkEdge()
	}
	slices.SortFunc(group, func(a, b bson.Raw) int {
		x, y := id(a), id(b)
		return order.direction * bytes.Compare(x[:], y[:])
	})
	for _, raw := range group {
		if l.see(raw, at); l.done {
			return
		}
	}
}

// noArray leaves out an array of dates: comparisons look into it, and it is no
// date.
var noArray = bson.E{Key: "$not", Value: bson.D{{Key: "$type", Value: "array"}}}

// between is the condition on the date of the walk, behind an instant.
func (l *list) between(behind *bson.DateTime) bson.D {
	now := bson.NewDateTimeFromTime(l.now)
	condition := bson.D{anyDate[0], noArray}
	if l.state == job.Queued {
		condition = append(condition, bson.E{Key: "$lte", Value: now})
	}
	switch {
	case l.state == job.Failed && behind != nil:
		condition = append(condition, bson.E{Key: "$lt", Value: *behind})
	case behind != nil:
		condition = append(condition, bson.E{Key: "$gt", Value: *behind})
	case l.state == job.Scheduled:
		condition = append(condition, bson.E{Key: "$gt", Value: now})
	}
	return condition
}
