package cluster

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/schema"
)

// The server's codes of what is there already, and of what Atlas forbids.
const (
	roleExists, userExists = 51002, 51003
	unauthorized           = 13
	noCommand              = 59
	atlasError             = 8000
)

// Reader is a database user for inspection.
type Reader struct {
	Name     string
	Password string
	// Accounts lets it also read the accounts, with password hashes, and the
	// sessions.
	Accounts bool
}

// CreateReader makes a role that may read the collections of the product, and
// a user in the database that has it and no other.
func CreateReader(ctx context.Context, db *mongo.Database, jobs string, reader Reader) error {
	role := reader.Name + "Role"
	definition := bson.D{{Key: "privileges", Value: privileges(db.Name(), jobs, reader.Accounts)}, {Key: "roles", Value: bson.A{}}}
	err := db.RunCommand(ctx, append(bson.D{{Key: "createRole", Value: role}}, definition...)).Err()
	if hasCode(err, roleExists) {
		err = db.RunCommand(ctx, append(bson.D{{Key: "updateRole", Value: role}}, definition...)).Err()
	}
	if err != nil {
		return explain("make the role "+role, err)
	}
	err = db.RunCommand(ctx, bson.D{
		{Key: "createUser", Value: reader.Name},
		{Key: "pwd", Value: reader.Password},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: role}, {Key: "db", Value: db.Name()}}}},
	}).Err()
	if hasCode(err, userExists) {
		return fmt.Errorf("%w: the user %s exists; choose another --name, or drop it first with db.dropUser(%q)", migrate.ErrRefused, reader.Name, reader.Name)
	}
	if err != nil {
		return explain("make the user "+reader.Name, err)
	}
	return nil
}

// privileges are find on each collection, and looking at the database.
func privileges(database, jobs string, accounts bool) bson.A {
	resource := func(collection string) bson.D {
		return bson.D{{Key: "db", Value: database}, {Key: "collection", Value: collection}}
	}
	private := map[string]bool{}
	for _, c := range schema.Accounts() {
		private[c.Name] = !accounts
	}
	all := bson.A{bson.D{
		{Key: "resource", Value: resource("")},
		{Key: "actions", Value: bson.A{"listCollections", "listIndexes", "collStats", "dbStats", "indexStats"}},
	}}
	readable := append(schema.Collections(jobs), schema.Collection{Name: schema.MigrationsCollection})
	for _, c := range readable {
		if !private[c.Name] {
			all = append(all, bson.D{{Key: "resource", Value: resource(c.Name)}, {Key: "actions", Value: bson.A{"find"}}})
		}
	}
	return all
}

func hasCode(err error, code int) bool {
	refused, ok := errors.AsType[mongo.ServerError](err)
	return ok && refused.HasErrorCode(code)
}

// explain words the refusals that a better right or another place mends.
func explain(what string, err error) error {
	if hasCode(err, noCommand) {
		return fmt.Errorf("%w: %s: this engine has no users of its own: %w", migrate.ErrRefused, what, err)
	}
	if hasCode(err, unauthorized) || hasCode(err, atlasError) {
		return fmt.Errorf("%w: %s: the server does not allow it; connect as a user with the role userAdmin, or on Atlas make the user in its console: %w",
			migrate.ErrRefused, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
