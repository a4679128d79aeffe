package weeklyreportsmongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
)

// ActiveUsers implements weeklyreports.Store. The collections hand out their
// users in order, and merging them needs the memory of one page.
func (s *Store) ActiveUsers(ctx context.Context, week weeklyreports.Week, page func() error) (int64, error) {
	var streams []*userStream
	defer func() {
		for _, stream := range streams {
			stream.close(ctx)
		}
	}()
	for _, collection := range []*mongo.Collection{s.exams, s.archive, s.practices} {
		stream, err := usersOf(ctx, collection, week)
		if err != nil {
			return 0, err
		}
		streams = append(streams, stream)
	}
	var count int64
	for {
		user, more := least(streams)
		if !more {
			break
		}
		for _, stream := range streams {
			stream.pass(ctx, user)
		}
		if count++; count%pageSize == 0 {
			if err := page(); err != nil {
				return 0, err
			}
		}
	}
	var errs []error
	for _, stream := range streams {
		errs = append(errs, stream.err)
	}
	return count, errors.Join(errs...)
}

// least is the smallest user that any stream has next.
func least(streams []*userStream) (user bson.ObjectID, more bool) {
	for _, stream := range streams {
		if stream.more && (!more || bytes.Compare(stream.user[:], user[:]) < 0) {
			user, more = stream.user, true
		}
	}
	return user, more
}

// userStream is the distinct users of a collection in ascending order.
type userStream struct {
	cursor *mongo.Cursor
	user   bson.ObjectID
	more   bool
	err    error
}

func usersOf(ctx context.Context, collection *mongo.Collection, week weeklyreports.Week) (*userStream, error) {
	isID := bson.E{Key: "user", Value: bson.D{{Key: "$type", Value: "objectId"}}}
	cursor, err := collection.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: append(within("endTime", week), isID)}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$user"}}}},
		{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
	}, options.Aggregate().SetAllowDiskUse(true).SetBatchSize(pageSize))
	if err != nil {
		return nil, fmt.Errorf("group %s by user: %w", collection.Name(), err)
	}
	stream := &userStream{cursor: cursor}
	stream.advance(ctx)
	return stream, nil
}

func (u *userStream) advance(ctx context.Context) {
	u.more = u.cursor.Next(ctx)
	if !u.more {
		u.err = u.cursor.Err()
		return
	}
	u.user, _ = u.cursor.Current.Lookup("_id").ObjectIDOK()
}

func (u *userStream) pass(ctx context.Context, user bson.ObjectID) {
	if u.more && u.user == user {
		u.advance(ctx)
	}
}

func (u *userStream) close(ctx context.Context) { _ = u.cursor.Close(ctx) }
