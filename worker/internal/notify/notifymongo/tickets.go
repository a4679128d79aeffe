package notifymongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/notify"
)

// TicketsCollection keeps what Expo took until its receipt is read.
const TicketsCollection = schema.PushTickets

// TicketLife is how long a ticket is kept at the most: Expo keeps receipts for
// a day.
const TicketLife = 48 * time.Hour

// Ticket is a ticket as it is stored.
type Ticket struct {
	ID        string    `bson:"_id"`
	User      string    `bson:"user"`
	Token     string    `bson:"token"`
	CreatedAt time.Time `bson:"createdAt"`
	ExpiresAt time.Time `bson:"expiresAt"`
}

// Keep implements notify.Store.
func (s *Store) Keep(ctx context.Context, tickets []notify.Ticket) error {
	documents := make([]Ticket, len(tickets))
	for i, t := range tickets {
		at := t.At.UTC()
		documents[i] = Ticket{ID: t.ID, User: t.Device.User, Token: t.Device.Token, CreatedAt: at, ExpiresAt: at.Add(TicketLife)}
	}
	_, err := insertNew(ctx, s.tickets, documents)
	return err
}

// PurgeTickets removes the tickets that nobody will ask for, and returns how
// many.
func (s *Store) PurgeTickets(ctx context.Context) (int64, error) {
	result, err := s.tickets.DeleteMany(ctx, bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: s.now()}}}})
	if err != nil {
		return 0, fmt.Errorf("remove old tickets: %w", err)
	}
	return result.DeletedCount, nil
}

// Tickets returns the next tickets by id, after one, that are at least as old
// as an instant.
func (s *Store) Tickets(ctx context.Context, until time.Time, after string, limit int) ([]notify.Ticket, error) {
	cursor, err := s.tickets.Find(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}, {Key: "createdAt", Value: bson.D{{Key: "$lte", Value: until}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("read tickets: %w", err)
	}
	var stored []Ticket
	if err := cursor.All(ctx, &stored); err != nil {
		return nil, fmt.Errorf("read tickets: %w", err)
	}
	tickets := make([]notify.Ticket, len(stored))
	for i, t := range stored {
		tickets[i] = notify.Ticket{ID: t.ID, At: t.CreatedAt, Device: notify.Device{User: t.User, Provider: push.Expo, Token: t.Token}}
	}
	return tickets, nil
}

// Remove removes tickets.
func (s *Store) Remove(ctx context.Context, ids []string) error {
	if _, err := s.tickets.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}); err != nil {
		return fmt.Errorf("remove tickets: %w", err)
	}
	return nil
}
