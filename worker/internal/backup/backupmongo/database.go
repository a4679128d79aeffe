// Package backupmongo reads a MongoDB database for a backup, and fills one
// from it.
//
// On a replica set or a sharded cluster of MongoDB 5 or later everything is
// read at one cluster time, in a snapshot session. Servers keep that history
// for minSnapshotHistoryWindowInSeconds (5 minutes by default): a backup that
// takes longer goes on without, and says so. Other engines have no snapshots.
package backupmongo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/worker/internal/backup"
)

// probe is a collection that no database has.
const probe = "backupSnapshotProbe"

// snapshotWire is the wire version of MongoDB 5.0, which has snapshot reads.
const snapshotWire = 13

// Database implements backup.Source and backup.Target.
type Database struct {
	db           *mongo.Database
	capabilities mongodb.Capabilities
}

var (
	_ backup.Source = (*Database)(nil)
	_ backup.Target = (*Database)(nil)
)

// New returns a database of a deployment. name "" = the one that the address
// names.
func New(client *mongodb.Client, name string) *Database {
	db := client.Database()
	if name != "" {
		db = client.Mongo().Database(name)
	}
	return Of(db, client.Capabilities())
}

// Of returns a database of a deployment whose capabilities are known.
func Of(db *mongo.Database, capabilities mongodb.Capabilities) *Database {
	return &Database{db: db, capabilities: capabilities}
}

// Database implements backup.Source.
func (d *Database) Database() string { return d.db.Name() }

// Engine implements backup.Source.
func (d *Database) Engine() backup.Engine {
	return backup.Engine{Name: d.capabilities.Engine, Version: d.capabilities.Version, Topology: d.capabilities.Topology}
}

// hasSnapshots reports whether collections can be read at one cluster time.
func (d *Database) hasSnapshots() bool {
	c := d.capabilities
	return c.Engine == mongodb.EngineMongoDB && c.ReplicaSet && c.WireVersion >= snapshotWire
}

// Open implements backup.Source.
func (d *Database) Open(ctx context.Context) (backup.Reader, error) {
	const apart = ", so each collection was read at a time of its own"
	r := &reader{db: d.db}
	if !d.hasSnapshots() {
		r.consistency.Why = fmt.Sprintf("%s %s as %s has no snapshot reads", d.capabilities.Engine, d.capabilities.Version, d.capabilities.Topology) + apart
		return r, nil
	}
	refusal, err := d.trySnapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("try a snapshot read: %w", err)
	}
	if refusal != "" {
		r.consistency.Why = "the server refuses snapshot reads (" + refusal + ")" + apart
		return r, nil
	}
	if r.session, err = d.snapshotSession(); err != nil {
		return nil, err
	}
	r.consistency = backup.Consistency{Consistent: true, Why: "all collections were read at one cluster time, in a snapshot session"}
	return r, nil
}

func (d *Database) snapshotSession() (*mongo.Session, error) {
	session, err := d.db.Client().StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return nil, fmt.Errorf("start a snapshot session: %w", err)
	}
	return session, nil
}

// trySnapshot makes one snapshot read, of nothing, and returns why the server
// refuses it: services that only resemble MongoDB call themselves replica sets,
// too. The session is not that of the backup, whose time begins with its first
// read.
func (d *Database) trySnapshot(ctx context.Context) (refusal string, err error) {
	session, err := d.snapshotSession()
	if err != nil {
		return "", err
	}
	defer session.EndSession(context.WithoutCancel(ctx)) // a cancelled run gives its session back, too
	err = d.db.Collection(probe).FindOne(mongo.NewSessionContext(ctx, session), bson.D{}).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return "", nil
	}
	if answer, ok := errors.AsType[mongo.ServerError](err); ok && !mongodb.IsUnavailable(err) {
		return answer.Error(), nil
	}
	return "", err
}

// specification is a collection as listCollections tells of it.
type specification struct {
	Name    string   `bson:"name"`
	Type    string   `bson:"type"`
	Options bson.Raw `bson:"options"`
	Info    struct {
		UUID bson.RawValue `bson:"uuid"`
	} `bson:"info"`
}

// isServers reports whether a collection is the server's own, and made by it.
// Stored functions are the user's, as mongodump sees it, too.
func (s specification) isServers() bool {
	return strings.HasPrefix(s.Name, "system.") && s.Name != "system.js"
}

// list returns the collections that are not the server's, in order.
func list(ctx context.Context, db *mongo.Database) ([]specification, error) {
	cursor, err := db.ListCollections(ctx, bson.D{})
	if err != nil {
		return nil, err
	}
	var all, out []specification
	if err := cursor.All(ctx, &all); err != nil {
		return nil, err
	}
	for _, s := range all {
		if !s.isServers() {
			out = append(out, s)
		}
	}
	return out, nil
}
