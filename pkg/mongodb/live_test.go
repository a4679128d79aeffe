package mongodb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/outagetest"
)

// TestCapabilitiesAreTrue tries on the real server what it is said to be able
// to do, and what not.
func TestCapabilitiesAreTrue(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: mongotest.URI(t)})
	can := client.Capabilities()
	t.Logf("server: %+v", can)

	index := func(o *options.IndexOptionsBuilder) func(context.Context, *mongo.Collection) error {
		return func(ctx context.Context, c *mongo.Collection) error {
			_, err := c.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "at", Value: 1}}, Options: o})
			return err
		}
	}
	stage := func(name string, value any) func(context.Context, *mongo.Collection) error {
		return func(ctx context.Context, c *mongo.Collection) error {
			cursor, err := c.Aggregate(ctx, bson.A{bson.D{{Key: name, Value: value}}})
			if err != nil {
				return err
			}
			return cursor.Close(ctx)
		}
	}
	tests := map[string]struct {
		claimed bool
		try     func(context.Context, *mongo.Collection) error
	}{
		"TTL":            {can.TTL, index(options.Index().SetExpireAfterSeconds(60))},
		"PartialIndexes": {can.PartialIndexes, index(options.Index().SetPartialFilterExpression(bson.D{{Key: "n", Value: 1}}))},
		"UpdatePipelines": {can.UpdatePipelines, func(ctx context.Context, c *mongo.Collection) error {
			_, err := c.UpdateOne(ctx, bson.D{}, bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: "$$NOW"}}}}})
			return err
		}},
		"Expr": {can.Expr, func(ctx context.Context, c *mongo.Collection) error {
			return c.FindOne(ctx, bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{"$n", 1}}}}}).Err()
		}},
		"Lookup": {can.Lookup, stage("$lookup", bson.D{
			{Key: "from", Value: "others"}, {Key: "localField", Value: "n"}, {Key: "foreignField", Value: "n"}, {Key: "as", Value: "o"},
		})},
		"Facet":          {can.Facet, stage("$facet", bson.D{{Key: "all", Value: bson.A{bson.D{{Key: "$limit", Value: 1}}}}})},
		"AggregationAvg": {can.AggregationAvg, stage("$group", bson.D{{Key: "_id", Value: nil}, {Key: "a", Value: bson.D{{Key: "$avg", Value: "$n"}}}})},
		"Transactions": {can.Transactions, func(ctx context.Context, c *mongo.Collection) error {
			session, err := c.Database().Client().StartSession()
			if err != nil {
				return err
			}
			defer session.EndSession(ctx)
			_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
				return c.InsertOne(ctx, bson.D{{Key: "n", Value: 2}})
			})
			return err
		}},
		"ChangeStreams": {can.ChangeStreams, func(ctx context.Context, c *mongo.Collection) error {
			stream, err := c.Watch(ctx, mongo.Pipeline{})
			if err != nil {
				return err
			}
			return stream.Close(ctx)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			collection := mongotest.Database(t).Collection("scratch")
			if _, err := collection.InsertOne(ctx, bson.D{{Key: "n", Value: 1}}); err != nil {
				t.Fatalf("insert: %v", err)
			}
			err := test.try(ctx, collection)
			if mongodb.IsUnavailable(err) {
				t.Fatalf("the server did not answer: %v", err)
			}
			if (err == nil) != test.claimed {
				t.Errorf("claimed %v, but trying it gave: %v", test.claimed, err)
			}
		})
	}
}

// TestAWriteThroughACut loses the server in the middle of writing, and gets
// it back.
func TestAWriteThroughACut(t *testing.T) {
	t.Parallel()
	scheme, rest, _ := strings.Cut(mongotest.URI(t), "://")
	user, hosts, hasUser := strings.Cut(rest, "@")
	if !hasUser {
		user, hosts = "", rest
	} else {
		user += "@"
	}
	if end := strings.IndexAny(hosts, "/?"); end >= 0 {
		hosts = hosts[:end]
	}
	if scheme != "mongodb" || strings.Contains(hosts, ",") {
		t.Skip("needs a server at one address")
	}
	if !strings.Contains(hosts, ":") {
		hosts += ":27017"
	}
	door := outagetest.New(t, hosts)
	own := mongotest.Database(t) // to be dropped
	client := connect(t, mongodb.Options{URI: "mongodb://" + user + door.Address() + "/?directConnection=true&authSource=admin"})
	collection := client.Mongo().Database(own.Name()).Collection("jobs")
	insert := func(ctx context.Context, id int) error {
		_, err := collection.InsertOne(ctx, bson.D{{Key: "_id", Value: id}})
		return err
	}
	if err := insert(t.Context(), 1); err != nil {
		t.Fatalf("insert before the cut: %v", err)
	}
	door.Cut()
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := insert(short, 2); !mongodb.IsUnavailable(err) {
		t.Errorf("insert during the cut = %v, want that the server is unavailable", err)
	}
	door.Restore()
	long, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := insert(long, 3); err != nil {
		t.Errorf("insert after the cut: %v", err)
	}
	if n, err := collection.CountDocuments(long, bson.D{}); err != nil || n != 2 {
		t.Errorf("documents = %d (%v), want the two that were acknowledged", n, err)
	}
}
