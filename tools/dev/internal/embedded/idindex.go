package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", the same that FerretDB uses

	"github.com/etrainer/backend/tools/dev/internal/gate"
)

// idIndexTimeout bounds the work on one SQLite file. The database is locked
// for writers meanwhile.
const idIndexTimeout = 10 * time.Second

// fileName is what FerretDB accepts as the name of a database. Nothing else
// may become part of a path.
var fileName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,63}$`)

// idIndexes gives every collection an index that FerretDB's queries can use.
//
// FerretDB v1 indexes _id as  _ferretdb_sjson->"_id"  but asks for
// _ferretdb_sjson->'$._id'.  SQLite uses an index on an expression only when
// the query has the same expression, so FerretDB reads the whole table for
// each document that it updates. The second index is on what it asks for.
type idIndexes struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	done map[string]map[string]bool // database, collection
}

func newIDIndexes(dir string, log *slog.Logger) *idIndexes {
	return &idIndexes{dir: dir, log: log, done: map[string]map[string]bool{}}
}

// afterWrite runs between a write and its answer, so that no client sees a
// collection without the index. The first write to each collection after a
// start looks; the others cost a map access.
func (x *idIndexes) afterWrite(c gate.Command) {
	switch c.Name {
	case "drop", "dropDatabase", "renameCollection":
		x.forget(c.DB)
	case "insert", "update", "findAndModify", "findandmodify", "create", "createIndexes":
		x.ensure(c.DB, c.Collection)
	}
}

// forget makes the next write to each collection of a database look again.
func (x *idIndexes) forget(db string) {
	x.mu.Lock()
	defer x.mu.Unlock()

	delete(x.done, db)
}

func (x *idIndexes) known(db, collection string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()

	return x.done[db][collection]
}

func (x *idIndexes) remember(db, collection string) {
	x.mu.Lock()
	defer x.mu.Unlock()

	if x.done[db] == nil {
		x.done[db] = map[string]bool{}
	}

	x.done[db][collection] = true
}

func (x *idIndexes) ensure(db, collection string) {
	if x.known(db, collection) || !fileName.MatchString(db) {
		return
	}

	// Detached on purpose: the work belongs to the database, not to a client.
	ctx, cancel := context.WithTimeout(context.Background(), idIndexTimeout)
	defer cancel()

	switch err := createIDIndex(ctx, filepath.Join(x.dir, db+".sqlite"), collection); {
	case err == nil:
		x.remember(db, collection)
	case errors.Is(err, sql.ErrNoRows):
		// The write was refused or changed nothing: there is no collection yet.
	default:
		// Everything works without the index, only slowly. The next write tries again.
		x.log.Warn("id index not created", slog.String("database", db), slog.String("collection", collection), slog.Any("error", err))
	}
}

// createIDIndex creates the index in the SQLite file if it is missing. It
// returns sql.ErrNoRows when the file knows no such collection.
//
// The connection is closed before it returns: one that outlived a
// dropDatabase would keep the write-ahead log of the deleted file alive.
func createIDIndex(ctx context.Context, file, collection string) (err error) {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=rw&_pragma=busy_timeout(5000)&"+pragmas.Encode())
	if err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	db.SetMaxOpenConns(1)

	var table string

	const find = `SELECT table_name FROM "_ferretdb_collections" WHERE name = ?`
	if err := db.QueryRowContext(ctx, find, collection).Scan(&table); err != nil {
		return err
	}

	create := fmt.Sprintf(`CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s (_ferretdb_sjson->'$._id')`,
		quote(table+"__id_path"), quote(table))
	if _, err := db.ExecContext(ctx, create); err != nil {
		return fmt.Errorf("index %s of %s: %w", table, file, err)
	}

	return nil
}

// quote makes an SQL identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
