package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/etrainer/backend/tools/dev/internal/embedded"
)

// startMongoDB runs an engine for a test.
func startMongoDB(t testing.TB, o embedded.MongoDBOptions) *embedded.MongoDB {
	t.Helper()

	if o.Dir == "" {
		o.Dir = t.TempDir()
	}

	m, err := embedded.StartMongoDB(o)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(m.Stop)

	return m
}

// connect returns a database of the server.
func connect(t testing.TB, uri string, opts ...*options.ClientOptions) *mongo.Database {
	t.Helper()

	client, err := mongo.Connect(append([]*options.ClientOptions{options.Client().ApplyURI(uri)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})

	return client.Database("shop")
}

const claimers = 8

// fill inserts free jobs.
func fill(t testing.TB, c *mongo.Collection, n int) {
	t.Helper()

	docs := make([]any, n)
	for i := range docs {
		docs[i] = bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "n", Value: i}, {Key: "claims", Value: 0}}
	}

	if _, err := c.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

// claimOne takes one free job by findAndModify.
func claimOne(ctx context.Context, c *mongo.Collection, who int) (int, bool, error) {
	err := c.FindOneAndUpdate(ctx,
		bson.D{{Key: "owner", Value: nil}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "owner", Value: who}}}, {Key: "$inc", Value: bson.D{{Key: "claims", Value: 1}}}},
	).Err()

	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	default:
		return 1, true, nil
	}
}

// claimMany finds free jobs and takes those of them that are still free.
func claimMany(ctx context.Context, c *mongo.Collection, who int) (int, bool, error) {
	var found []struct {
		ID bson.ObjectID `bson:"_id"`
	}

	cursor, err := c.Find(ctx, bson.D{{Key: "owner", Value: nil}}, options.Find().SetLimit(10))
	if err != nil {
		return 0, false, err
	}

	if err := cursor.All(ctx, &found); err != nil || len(found) == 0 {
		return 0, false, err
	}

	ids := make(bson.A, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}

	r, err := c.UpdateMany(ctx,
		bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}, {Key: "owner", Value: nil}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "owner", Value: who}}}, {Key: "$inc", Value: bson.D{{Key: "claims", Value: 1}}}},
	)
	if err != nil {
		return 0, false, err
	}

	return int(r.ModifiedCount), true, nil
}

// claimer takes free jobs and returns how many it was told it has, and
// whether there was something to take.
type claimer func(ctx context.Context, c *mongo.Collection, who int) (claimed int, found bool, err error)

// race lets the claimers take all of n jobs. It returns how many claims they
// were told of, and how many jobs do not have exactly one claim.
func race(t *testing.T, c *mongo.Collection, n int, claim claimer) (told, wrong int) {
	t.Helper()
	fill(t, c, n)

	var (
		wg     sync.WaitGroup
		sum    atomic.Int64
		failed atomic.Pointer[error]
	)

	for who := range claimers {
		wg.Go(func() {
			for {
				claimed, found, err := claim(t.Context(), c, who)
				if err != nil {
					failed.Store(&err)
				}

				sum.Add(int64(claimed))

				if err != nil || !found {
					return
				}
			}
		})
	}

	wg.Wait()

	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}

	right, err := c.CountDocuments(t.Context(), bson.D{{Key: "claims", Value: 1}, {Key: "owner", Value: bson.D{{Key: "$gte", Value: 0}}}})
	if err != nil {
		t.Fatal(err)
	}

	return int(sum.Load()), n - int(right)
}

func TestNoJobIsClaimedTwice(t *testing.T) {
	t.Parallel()

	const jobs = 200

	for name, claim := range map[string]claimer{"findAndModify": claimOne, "updateMany": claimMany} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			db := connect(t, startMongoDB(t, embedded.MongoDBOptions{}).URI(""))

			told, wrong := race(t, db.Collection("jobs"), jobs, claim)
			if told != jobs || wrong != 0 {
				t.Errorf("the claimers were told of %d claims of %d jobs; %d jobs do not have exactly one", told, jobs, wrong)
			}
		})
	}
}

// TestTheGateIsNeeded fails on the day that FerretDB needs no gate.
func TestTheGateIsNeeded(t *testing.T) {
	t.Parallel()

	const jobs = 50

	db := connect(t, startMongoDB(t, embedded.MongoDBOptions{}).UngatedURI())

	if told, _ := race(t, db.Collection("jobs"), jobs, claimOne); told <= jobs {
		t.Errorf("past the gate, %d claims of %d jobs succeeded: none was double", told, jobs)
	}
}

func TestUnacknowledgedWritesArrive(t *testing.T) {
	t.Parallel()

	m := startMongoDB(t, embedded.MongoDBOptions{})
	c := connect(t, m.URI(""), options.Client().
		SetWriteConcern(writeconcern.Unacknowledged()).SetMaxPoolSize(1)).Collection("things")

	for i := range 20 {
		// The acknowledgement that is not sent must not answer the next command.
		if _, err := c.InsertOne(t.Context(), bson.D{{Key: "n", Value: i}}); err != nil {
			t.Fatal(err)
		}

		if n, err := c.CountDocuments(t.Context(), bson.D{}); err != nil || n != int64(i+1) {
			t.Fatalf("%d documents (%v), want %d", n, err, i+1)
		}
	}
}

func TestOnCommandSeesWhatClientsSend(t *testing.T) {
	t.Parallel()

	var inserts atomic.Int64

	m := startMongoDB(t, embedded.MongoDBOptions{OnCommand: func(db, name string) {
		if db == "shop" && name == "insert" {
			inserts.Add(1)
		}
	}})

	fill(t, connect(t, m.URI("")).Collection("jobs"), 250)

	if n := inserts.Load(); n != 1 {
		t.Errorf("one insert of 250 documents was counted as %d commands", n)
	}
}

func TestTakenPortIsReplaced(t *testing.T) {
	t.Parallel()

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	port := taken.Addr().(*net.TCPAddr).Port

	m := startMongoDB(t, embedded.MongoDBOptions{Port: port})
	if m.Port() == port {
		t.Errorf("the engine claims port %d, which is taken", port)
	}

	if want := fmt.Sprintf("mongodb://127.0.0.1:%d/shop", m.Port()); m.URI("shop") != want {
		t.Errorf("URI is %s, want %s", m.URI("shop"), want)
	}

	if err := connect(t, m.URI("")).Client().Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}

	// The port is free again after Stop, and then it is the one that is taken.
	m.Stop()

	again := startMongoDB(t, embedded.MongoDBOptions{Port: m.Port()})
	if again.Port() != m.Port() {
		t.Errorf("the engine took port %d though %d is free", again.Port(), m.Port())
	}
}

func TestDocumentsSurviveARestart(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "made", "on start")

	first := startMongoDB(t, embedded.MongoDBOptions{Dir: dir})
	fill(t, connect(t, first.URI("")).Collection("jobs"), 3)
	first.Stop()
	first.Stop()

	second := startMongoDB(t, embedded.MongoDBOptions{Dir: dir})

	n, err := connect(t, second.URI("")).Collection("jobs").CountDocuments(t.Context(), bson.D{})
	if err != nil || n != 3 {
		t.Errorf("%d documents (%v), want 3", n, err)
	}
}

func TestUnusableFoldersAreNamed(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, dir := range []string{file, filepath.Join(t.TempDir(), "50%")} {
		_, err := embedded.StartMongoDB(embedded.MongoDBOptions{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), filepath.Base(dir)) {
			t.Errorf("starting in %s: %v, want an error that names it", dir, err)
		}
	}
}
