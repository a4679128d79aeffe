package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/mongodb"
)

// WriteConcern is what every write asks for: ours by package mongodb, the
// rivals' by the options that they are given.
const WriteConcern = "w:majority j:true"

// prefix begins the name of every database that a measurement makes.
const prefix = "bench_"

// connectTimeout bounds the first connection and every later one.
const connectTimeout = 15 * time.Second

// Engine is a MongoDB-compatible server, and the Redis beside it.
type Engine struct {
	uri string
	// RedisURL is where wake-ups travel.
	RedisURL string
	// Description names the engine, its version and its topology.
	Description string
}

// Open asks the server what it is.
func Open(ctx context.Context, uri, redisURL string) (*Engine, error) {
	e := &Engine{uri: uri, RedisURL: redisURL}
	db, err := e.connect(ctx, "")
	if err != nil {
		return nil, err
	}
	defer db.disconnect(ctx)
	can := db.Client.Capabilities()
	e.Description = fmt.Sprintf("%s %s %s", can.Engine, can.Version, can.Topology)
	return e, nil
}

// Database is an empty database that one measurement has for itself.
type Database struct {
	*mongodb.Client
	Name string
	URI  string
	// Counter counts the commands of this connection on the wire. The
	// driver's own monitoring of the server is not among them.
	Counter *mongodb.CommandCounter
	// Clock is the server's time. It was measured when the database was made.
	Clock *mongodb.ServerClock
}

// Fresh makes a database. Drop it when the measurement is over.
func (e *Engine) Fresh(ctx context.Context) (*Database, error) {
	suffix := make([]byte, 6)
	_, _ = rand.Read(suffix) // never fails
	return e.Connect(ctx, prefix+hex.EncodeToString(suffix))
}

// Connect opens a further connection to a database that Fresh has made, as a
// second process would have.
func (e *Engine) Connect(ctx context.Context, name string) (*Database, error) {
	db, err := e.connect(ctx, name)
	if err != nil {
		return nil, err
	}
	db.Clock = mongodb.NewServerClock(db.Client, slog.New(slog.DiscardHandler))
	if err := db.Clock.Start(ctx); err != nil {
		return nil, fmt.Errorf("measure the server's clock: %w", err)
	}
	return db, nil
}

func (e *Engine) connect(ctx context.Context, name string) (*Database, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	counter, err := mongodb.NewCommandCounter(nil)
	if err != nil {
		return nil, fmt.Errorf("count commands: %w", err)
	}
	uri := withDatabase(e.uri, name)
	client, err := mongodb.Connect(ctx, mongodb.Options{URI: uri, AppName: "etrainer-bench", Monitor: counter.Monitor()})
	if err != nil {
		return nil, err
	}
	return &Database{Client: client, Name: name, URI: uri, Counter: counter}, nil
}

// Drop removes the database and closes the connection.
func (d *Database) Drop(ctx context.Context) error {
	if err := d.Database().Drop(ctx); err != nil {
		return fmt.Errorf("drop %s: %w", d.Name, err)
	}
	return d.Disconnect(ctx)
}

// Disconnect closes the connection and leaves the database.
func (d *Database) Disconnect(ctx context.Context) error {
	if err := d.Clock.Stop(ctx); err != nil {
		return fmt.Errorf("stop the clock: %w", err)
	}
	return d.Close(ctx)
}

func (d *Database) disconnect(ctx context.Context) { _ = d.Close(ctx) }

// withDatabase puts a database's name into an address. Addresses may list
// several hosts, which net/url refuses.
func withDatabase(uri, name string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	rest, query, asks := strings.Cut(rest, "?")
	hosts, _, _ := strings.Cut(rest, "/")
	uri = scheme + "://" + hosts + "/" + name
	if asks {
		uri += "?" + query
	}
	return uri
}
