package mongodb_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// What goes aside does not wait until the common connections come free.
func TestAsideDoesNotWaitForThePool(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	client := connect(t, mongodb.Options{MaxPoolSize: 1, URI: "mongodb://" + wiretest.New(t, func(command bson.Raw) bson.D {
		if wiretest.Name(command) == "insert" {
			arrived <- struct{}{}
			<-release
		}
		return plain(command)
	}).Host() + "/school"})
	var busy sync.WaitGroup
	busy.Go(func() { _ = insertWithin(t, client, patience) })
	<-arrived
	beside, err := client.Aside()
	if err != nil {
		t.Fatal(err)
	}
	if beside.Name() != "school" {
		t.Errorf("it is the database %s", beside.Name())
	}
	hello := func(db *mongo.Database, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Err()
	}
	if err := hello(client.Database(), 100*time.Millisecond); err == nil {
		t.Error("the pool has a connection left, so this test shows nothing")
	}
	if err := hello(beside, patience); err != nil {
		t.Errorf("aside: %v", err)
	}
	close(release)
	busy.Wait()
}

func TestAsideIsClosedWithTheClient(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host()})
	beside, err := client.Aside()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // closing what is closed does nothing
		if err := client.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := beside.RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Err(); !errors.Is(err, mongo.ErrClientDisconnected) {
		t.Errorf("after Close it answers %v", err)
	}
	if _, err := client.Aside(); !errors.Is(err, mongo.ErrClientDisconnected) {
		t.Errorf("Aside after Close = %v", err)
	}
}
