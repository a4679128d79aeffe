package mongodb_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// TestServerOffset has the server advance our clock, so that each question
// takes a known time there and back.
func TestServerOffset(t *testing.T) {
	t.Parallel()
	trips := []struct{ there, back time.Duration }{
		{90 * time.Millisecond, 10 * time.Millisecond},
		{0, 80 * time.Millisecond},
		{4 * time.Millisecond, 6 * time.Millisecond}, // the quickest
		{20 * time.Millisecond, 20 * time.Millisecond},
		{50 * time.Millisecond, 0},
	}
	for _, ahead := range []time.Duration{0, 3 * time.Minute, -25 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			clock := clockwork.NewFakeClockAt(time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC))
			var asked atomic.Int32
			server := wiretest.New(t, func(command bson.Raw) bson.D {
				// The driver's own questions go to the database admin.
				if wiretest.Name(command) != "hello" || wiretest.Database(command) == "admin" {
					return plain(command)
				}
				trip := trips[asked.Add(1)-1]
				clock.Advance(trip.there)
				now := clock.Now().Add(ahead)
				clock.Advance(trip.back)
				return bson.D{{Key: "localTime", Value: now}}
			})
			client := connect(t, mongodb.Options{URI: "mongodb://" + server.Host(), Clock: clock})
			got, err := client.ServerOffset(t.Context())
			if err != nil {
				t.Fatalf("ServerOffset: %v", err)
			}
			// Half of 10 ms is 5 ms, and the way there took 4 ms.
			if want := ahead - time.Millisecond; got != want {
				t.Errorf("offset = %v, want %v", got, want)
			}
			if n := int(asked.Load()); n != len(trips) {
				t.Errorf("the server was asked %d times, want %d", n, len(trips))
			}
		})
	}
}

func TestServerOffsetFails(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host()})
	if err := client.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if offset, err := client.ServerOffset(t.Context()); err == nil {
		t.Errorf("offset of a closed client = %v, want an error", offset)
	}
}
