package mongodb

import (
	"context"
	"fmt"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// offsetSamples is how often the server's clock is asked: the quickest answer
// is the most precise one.
const offsetSamples = 5

// ServerOffset returns how far the server's clock is ahead of ours: add it to
// our time to get the server's. It sends hello five times; half the round
// trip of the quickest answer bounds the error. The server tells its time in
// milliseconds.
func (c *Client) ServerOffset(ctx context.Context) (time.Duration, error) {
	return ServerOffset(ctx, c.Database(), c.clock)
}

// ServerOffset is Client.ServerOffset for those who have a database only.
// clock nil = the real one.
func ServerOffset(ctx context.Context, database *mongo.Database, clock clockwork.Clock) (time.Duration, error) {
	if clock == nil {
		clock = clockwork.NewRealClock()
	}
	var best sample
	for i := range offsetSamples {
		s, err := askTime(ctx, database, clock)
		if err != nil {
			return 0, fmt.Errorf("ask the server's clock: %w", err)
		}
		if i == 0 || s.roundTrip < best.roundTrip {
			best = s
		}
	}
	return best.offset, nil
}

// sample is one reading of the server's clock.
type sample struct{ offset, roundTrip time.Duration }

func askTime(ctx context.Context, database *mongo.Database, clock clockwork.Clock) (sample, error) {
	var reply struct {
		LocalTime time.Time `bson:"localTime"`
	}
	sent := clock.Now()
	if err := database.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&reply); err != nil {
		return sample{}, err
	}
	roundTrip := clock.Since(sent)
	return sample{offset: reply.LocalTime.Sub(sent.Add(roundTrip / 2)), roundTrip: roundTrip}, nil
}
