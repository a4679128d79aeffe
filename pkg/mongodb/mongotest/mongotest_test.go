package mongotest_test

import (
	"bufio"
	"context"
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func TestDatabaseIsEmptyAndOwn(t *testing.T) {
	t.Parallel()

	first, second := mongotest.Database(t), mongotest.Database(t)
	if first.Name() == second.Name() {
		t.Fatalf("two databases have the name %s", first.Name())
	}

	if _, err := first.Collection("things").InsertOne(t.Context(), bson.M{"_id": 1}); err != nil {
		t.Fatal(err)
	}

	for db, want := range map[*mongo.Database]int64{first: 1, second: 0} {
		if n, err := db.Collection("things").CountDocuments(t.Context(), bson.M{}); err != nil || n != want {
			t.Errorf("%s holds %d documents (%v), want %d", db.Name(), n, err, want)
		}
	}
}

func TestWritesAreAcknowledgedAtMajorityAndJournal(t *testing.T) {
	t.Parallel()

	concerns := make(chan string, 1)
	monitor := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "insert" {
			concerns <- e.Command.Lookup("writeConcern").String()
		}
	}}

	db := mongotest.Database(t, options.Client().SetMonitor(monitor))
	if _, err := db.Collection("things").InsertOne(t.Context(), bson.M{}); err != nil {
		t.Fatal(err)
	}

	if got, want := <-concerns, `{"w": "majority","j": true}`; got != want {
		t.Errorf("write concern is %s, want %s", got, want)
	}
}

func TestDatabaseIsDroppedAfterTheTest(t *testing.T) {
	t.Parallel()

	var name string

	t.Run("inner", func(t *testing.T) {
		db := mongotest.Database(t)
		name = db.Name()

		if _, err := db.Collection("things").InsertOne(t.Context(), bson.M{}); err != nil {
			t.Fatal(err)
		}
	})

	names, err := mongotest.Database(t).Client().ListDatabaseNames(t.Context(), bson.M{})
	if err != nil {
		t.Fatal(err)
	}

	for _, n := range names {
		if n == name {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestCapabilitiesAreThoseOfTheServer(t *testing.T) {
	t.Parallel()

	can := mongotest.Capabilities(t)

	_, err := mongotest.Database(t).Collection("things").Aggregate(t.Context(), bson.A{
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: nil}, {Key: "last", Value: bson.D{{Key: "$max", Value: "$n"}}}}}},
	})
	if can.Engine == "" || (err == nil) != can.AggregationAvg {
		t.Errorf("the server is %+v, and $max gives %v", can, err)
	}
}

func TestNameSuitsMongoDB(t *testing.T) {
	t.Parallel()

	allowed := regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

	for _, name := range []string{"plain", "Ünïcode/ Slash.dot$", strings.Repeat("long", 40)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a, b := mongotest.Name(t), mongotest.Name(t)
			if !allowed.MatchString(a) {
				t.Errorf("%q is no safe name", a)
			}

			if a == b {
				t.Errorf("%q was given twice", a)
			}
		})
	}
}

func TestRedisAnswers(t *testing.T) {
	t.Parallel()

	u, err := url.Parse(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}

	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if _, err := conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}

	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer != "+PONG\r\n" {
		t.Errorf("PING was answered by %q (%v)", answer, err)
	}
}

func TestAServerOfOneTestKeepsItsDataOverAKill(t *testing.T) {
	t.Parallel()

	server := mongotest.NewServer(t)
	address := server.URI()

	things := mongotest.Database(t, options.Client().ApplyURI(address)).Collection("things")
	if _, err := things.InsertOne(t.Context(), bson.M{"_id": 1}); err != nil {
		t.Fatal(err)
	}

	server.Kill()

	if _, err := things.InsertOne(t.Context(), bson.M{"_id": 2}, options.InsertOne()); err == nil {
		t.Error("a killed server stores a document")
	}

	server.Start()

	if n, err := things.CountDocuments(t.Context(), bson.M{}); err != nil || n != 1 || server.URI() != address {
		t.Errorf("%d documents at %s, %v; want the one of before at %s", n, server.URI(), err, address)
	}
}
