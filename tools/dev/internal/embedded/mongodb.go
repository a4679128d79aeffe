package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/FerretDB/FerretDB/ferretdb"

	"github.com/etrainer/backend/tools/dev/internal/gate"
)

// MongoDBOptions tells StartMongoDB where to run.
type MongoDBOptions struct {
	// Dir is the folder of the SQLite files, one for each database. It is
	// created if missing. Required.
	Dir string
	// Port is the wanted TCP port of the loopback interface. If it is taken,
	// or 0, another port is chosen; see [MongoDB.Port].
	Port int
	// OnCommand, if not nil, is called for every command that clients send,
	// from many goroutines. It must not block.
	OnCommand func(db, name string)
	// Logger receives what went wrong. FerretDB's own log is discarded: it
	// prints whole documents. Nil is silent.
	Logger *slog.Logger
}

// MongoDB is a running FerretDB behind a gate.
type MongoDB struct {
	gate     *gate.Gate
	upstream string // address of FerretDB itself
	stop     func()
}

// pragmas are set on every connection to a SQLite file. In WAL mode,
// synchronous(normal) gives up the last commits at a power failure, never the
// file; FerretDB commits once for each updated document, and each commit
// would otherwise wait for the disk.
var pragmas = url.Values{"_pragma": {
	"synchronous(normal)",
	"temp_store(memory)",
	"cache_size(-16000)", // KiB
}}

// newMu guards ferretdb.New, which writes to a global variable.
var newMu sync.Mutex

// StartMongoDB returns once the engine accepts connections.
func StartMongoDB(o MongoDBOptions) (*MongoDB, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}

	dir, err := dataFolder(o.Dir)
	if err != nil {
		return nil, err
	}

	listener, err := listen(o.Port)
	if err != nil {
		return nil, err
	}

	server, err := newFerretDB(dir)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("start FerretDB in %s: %w", dir, err)
	}

	// Detached on purpose: the engine lives until Stop.
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})

	go func() {
		defer close(done)
		_ = server.Run(ctx) // always nil
	}()

	upstream := strings.TrimSuffix(strings.TrimPrefix(server.MongoDBURI(), "mongodb://"), "/")
	indexes := newIDIndexes(dir, log)

	g := gate.Start(gate.Config{
		Listener:   listener,
		Upstream:   upstream,
		OnCommand:  o.OnCommand,
		AfterWrite: indexes.afterWrite,
		Logger:     log,
	})

	return &MongoDB{gate: g, upstream: upstream, stop: sync.OnceFunc(func() {
		// The gate first: FerretDB waits seconds for clients that stay.
		g.Stop()
		cancel()
		<-done
	})}, nil
}

func newFerretDB(dir string) (*ferretdb.FerretDB, error) {
	newMu.Lock()
	defer newMu.Unlock()

	return ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: address(0)},
		Logger:    slog.New(slog.DiscardHandler),
		Handler:   "sqlite",
		SQLiteURL: "file:" + dir + "/?" + pragmas.Encode(),
	})
}

// dataFolder makes the folder and returns its absolute path.
func dataFolder(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data folder %s: %w", dir, err)
	}

	// The path becomes part of SQLite URIs, which FerretDB does not escape.
	if strings.ContainsAny(abs, "?#%") {
		return "", fmt.Errorf("data folder %q: the path must not contain ?, # or %%", abs)
	}

	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}

	return abs, nil
}

// Port is the port that clients connect to: the wanted one unless it was taken.
func (m *MongoDB) Port() int { return portOf(m.gate.Addr()) }

// URI is the connection string for the given database, "" for none.
// The engine is a standalone server without authentication.
func (m *MongoDB) URI(database string) string {
	return "mongodb://" + address(m.Port()) + "/" + database
}

// Stop closes all connections and files and waits. It may be called more than
// once.
func (m *MongoDB) Stop() { m.stop() }
