package mongotest

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/mongodb"
)

// Variables that name real servers for the tests to use.
const (
	uriVariable   = "TEST_MONGODB_URI"
	redisVariable = "TEST_REDIS_URL"
)

// timeout bounds every single action of this package on the server.
const timeout = 30 * time.Second

// maxName is what is left of a test's name in [Name]. With the suffix it stays
// well below the 63 bytes that MongoDB allows for a database name.
const maxName = 40

var (
	started = time.Now().UnixNano()
	counter atomic.Uint64

	// able is what the server can do.
	able struct {
		once         sync.Once
		capabilities mongodb.Capabilities
		err          error
	}
)

// atEnd is what Main calls; see AtEnd.
var (
	atEndMu sync.Mutex
	atEnd   []func() error
)

// AtEnd has Main call a function after the tests of the package, for what several
// of them share.
func AtEnd(cleanup func() error) {
	atEndMu.Lock()
	defer atEndMu.Unlock()

	atEnd = append(atEnd, cleanup)
}

// Main runs the tests of a package, stops the engines that this package
// started, does what AtEnd says, and fails when goroutines are left over, or when
// a client that the product made sent what Database would not let pass. It does
// not return. Packages whose dependencies keep goroutines name them in options.
func Main(m *testing.M, leaks ...goleak.Option) {
	code := m.Run()

	for _, end := range append(atEnd, shared.stop) {
		if err := end(); err != nil {
			fmt.Fprintln(os.Stderr, "mongotest:", err)
			code = 1
		}
	}

	for _, fault := range others.found() {
		fmt.Fprintln(os.Stderr, "mongotest:", fault)
		code = 1
	}

	if code == 0 {
		if err := goleak.Find(leaks...); err != nil {
			fmt.Fprintln(os.Stderr, "mongotest: goroutines left over:", err)
			code = 1
		}
	}

	os.Exit(code)
}

// Database returns an empty database named after the test. Writes are
// acknowledged at majority and journal. When the test ends, the database is
// dropped and its client closed. Options (a command monitor, say) come last
// and win.
//
// The test fails when the product sends a command through it that no declared
// index serves, or a write of the queue that is not for a majority and its
// journal; a MongoDB is asked for its plans as well.
func Database(t testing.TB, opts ...*options.ClientOptions) *mongo.Database {
	t.Helper()

	journal := true
	defaults := options.Client().
		ApplyURI(URI(t)).
		SetServerSelectionTimeout(timeout).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journal})

	watch := &watch{}

	client, err := mongo.Connect(append(append([]*options.ClientOptions{defaults}, opts...), watch.beside(opts))...)
	if err != nil {
		t.Fatalf("mongotest: connect: %v", err)
	}

	db := client.Database(Name(t))

	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()

		watch.report(ctx, t, db)

		if err := db.Drop(ctx); err != nil {
			t.Errorf("mongotest: drop %s: %v", db.Name(), err)
		}

		if err := client.Disconnect(ctx); err != nil {
			t.Errorf("mongotest: disconnect: %v", err)
		}
	})

	return db
}

// Migrate gives a database the schema of this release, as "migrate up" would,
// for tests that start a whole program.
func Migrate(t testing.TB, db *mongo.Database) {
	t.Helper()

	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()

	if err := mongodb.PrepareSchema(ctx, db, ""); err != nil {
		t.Fatalf("mongotest: prepare the schema: %v", err)
	}
}

// URI is the connection string of the server, without a database of its own
// for the test: use it with [Name] where code under test connects by itself.
func URI(t testing.TB) string {
	t.Helper()

	if uri := os.Getenv(uriVariable); uri != "" {
		return uri
	}

	return shared.get(t).mongodb
}

// Capabilities is what the server can do, for code that chooses its way by it. It
// is found out once.
func Capabilities(t testing.TB) mongodb.Capabilities {
	t.Helper()

	able.once.Do(func() { able.capabilities, able.err = detect(URI(t)) })

	if able.err != nil {
		t.Fatalf("mongotest: ask the server what it can do: %v", able.err)
	}

	return able.capabilities
}

func detect(uri string) (mongodb.Capabilities, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()

	client, err := mongodb.Connect(ctx, mongodb.Options{URI: uri})
	if err != nil {
		return mongodb.Capabilities{}, err
	}

	return client.Capabilities(), client.Close(ctx)
}

// RedisURL is the connection string of the Redis that all tests share.
func RedisURL(t testing.TB) string {
	t.Helper()

	if url := os.Getenv(redisVariable); url != "" {
		return url
	}

	return shared.get(t).redis
}

// Name returns a name that no other call returns, in this or another process:
// the test's name in lower case, shortened, with a suffix. It has only the
// letters a to z, digits and underscores, and at most 63 of them.
func Name(t testing.TB) string {
	t.Helper()

	unique := fnv.New64a()
	fmt.Fprint(unique, os.Getpid(), started, counter.Add(1), t.Name())

	return fmt.Sprintf("%s_%016x", plain(t.Name()), unique.Sum64())
}

// plain makes a test's name safe for a database.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, name)

	return name[:min(len(name), maxName)]
}
