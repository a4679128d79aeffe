package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	"golang.org/x/crypto/bcrypt"
)

// marker is the collection of the one document that tells how far the demo
// data got. It is written first, so that a database that has it is ours.
const marker = "demoData"

// passwordCost is that of the Node backend.
const passwordCost = 10

// batch is how many documents go into one insert.
const batch = 500

// Admin is the login of the one user with the role ADMIN.
type Admin struct{ Email, Password string }

// Seed writes the demo data and the admin user into the database that the URI
// names, "etrainer" if none, and says on out what it did. It does so once: a
// database that has users but no demo data is somebody's own, and stays as it
// is. An interrupted seeding is begun anew at the next call.
func Seed(ctx context.Context, uri string, admin Admin, out io.Writer) (err error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()

	db := client.Database(databaseOf(uri))

	state, err := stateOf(ctx, db)
	if err != nil {
		return err
	}

	switch state {
	case foreign:
		_, err := fmt.Fprintf(out, "dev │ the database %s has users already: no demo data, no admin user\n", db.Name())
		return err
	case empty, begun:
		if err := write(ctx, db, out); err != nil {
			return err
		}
	case complete:
	}

	return ensureAdmin(ctx, db, admin)
}

// databaseOf is the database that a URI names.
func databaseOf(uri string) string {
	if cs, err := connstring.Parse(uri); err == nil && cs.Database != "" {
		return cs.Database
	}

	return "etrainer"
}

// state is what a database holds.
type state int

const (
	empty    state = iota // no users
	foreign               // users that are not ours
	begun                 // a part of the demo data
	complete              // all of it
)

func stateOf(ctx context.Context, db *mongo.Database) (state, error) {
	var m struct{ Complete bool }

	err := db.Collection(marker).FindOne(ctx, bson.D{{Key: "_id", Value: "demo"}}).Decode(&m)

	switch {
	case err == nil && m.Complete:
		return complete, nil
	case err == nil:
		return begun, nil
	case !errors.Is(err, mongo.ErrNoDocuments):
		return 0, fmt.Errorf("look for demo data: %w", err)
	}

	err = db.Collection("users").FindOne(ctx, bson.D{}).Err()

	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return empty, nil
	case err != nil:
		return 0, fmt.Errorf("look for users: %w", err)
	default:
		return foreign, nil
	}
}

// write inserts everything between two writes of the marker.
func write(ctx context.Context, db *mongo.Database, out io.Writer) error {
	began, total := time.Now(), 0

	if err := mark(ctx, db, bson.D{{Key: "complete", Value: false}}); err != nil {
		return err
	}

	for _, c := range Build(began) {
		collection := db.Collection(c.Name)
		// Of an interrupted seeding; nobody could have added anything to it.
		if _, err := collection.DeleteMany(ctx, bson.D{}); err != nil {
			return fmt.Errorf("empty %s: %w", c.Name, err)
		}

		for first := 0; first < len(c.Documents); first += batch {
			if _, err := collection.InsertMany(ctx, c.Documents[first:min(first+batch, len(c.Documents))]); err != nil {
				return fmt.Errorf("insert into %s: %w", c.Name, err)
			}
		}

		total += len(c.Documents)
	}

	if err := mark(ctx, db, bson.D{{Key: "complete", Value: true}, {Key: "seededAt", Value: began}}); err != nil {
		return err
	}

	_, err := fmt.Fprintf(out, "dev │ wrote %d demo documents in %s\n", total, time.Since(began).Round(time.Millisecond))

	return err
}

func mark(ctx context.Context, db *mongo.Database, fields bson.D) error {
	_, err := db.Collection(marker).UpdateByID(ctx, "demo",
		bson.D{{Key: "$set", Value: fields}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("mark the demo data: %w", err)
	}

	return nil
}

// adminID never changes, so that the admin user is found by an index and
// tokens outlive everything.
var adminID = bson.ObjectID{0x68, 0x8c, 0, 0, 'a', 'd', 'm', 'i', 'n', 0, 0, 1}

// ensureAdmin makes the admin user, or gives the existing one the password.
func ensureAdmin(ctx context.Context, db *mongo.Database, admin Admin) error {
	users := db.Collection("users")

	var stored user

	err := users.FindOne(ctx, bson.D{{Key: "_id", Value: adminID}}).Decode(&stored)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return fmt.Errorf("look for the admin user: %w", err)
	}

	if err == nil && stored.Password != nil && stored.Email == admin.Email &&
		bcrypt.CompareHashAndPassword([]byte(*stored.Password), []byte(admin.Password)) == nil {
		return nil
	}

	hash, err := bcrypt.GenerateFromPassword([]byte(admin.Password), passwordCost)
	if err != nil {
		return fmt.Errorf("hash the admin password: %w", err)
	}

	at := time.Now().UTC().Truncate(time.Millisecond)
	u := user{
		ID: adminID, Name: "Admin", Email: admin.Email, Password: new("$2b$" + string(hash[len("$2a$"):])),
		Role: "ADMIN", Gender: "OTHER", RegistrationMethod: "EMAIL", Stamps: stamps(at),
	}

	_, err = users.ReplaceOne(ctx, bson.D{{Key: "_id", Value: adminID}}, u, options.Replace().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("write the admin user: %w", err)
	}

	return nil
}
