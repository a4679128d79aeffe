package gate

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Command is what the gate understands of one request.
type Command struct {
	// DB is the database that the command works on. For renameCollection,
	// which is sent to "admin", it is the database of the collection.
	DB string
	// Name is the command's name as sent, such as "find".
	Name string
	// Collection is the collection that a writing command works on (for
	// renameCollection the new name), or "" when it names none.
	Collection string
}

// writing holds every command of FerretDB v1 that changes documents,
// collections or indexes.
var writing = map[string]bool{
	"insert":           true,
	"update":           true,
	"delete":           true,
	"findAndModify":    true,
	"findandmodify":    true,
	"create":           true,
	"createIndexes":    true,
	"dropIndexes":      true,
	"drop":             true,
	"dropDatabase":     true,
	"renameCollection": true,
	"collMod":          true,
	"compact":          true,
}

// Writes reports whether the command must not run beside another writing
// command on its database.
func (c Command) Writes() bool { return writing[c.Name] }

// parseCommand reads a command document. The database is its $db field, or
// db where the protocol carries it elsewhere.
func parseCommand(doc bson.Raw, db string) (Command, error) {
	first, err := doc.IndexErr(0)
	if err != nil {
		return Command{}, fmt.Errorf("%w: command document: %w", errMalformed, err)
	}

	c := Command{DB: db, Name: first.Key()}

	if v, err := doc.LookupErr("$db"); err == nil {
		c.DB, _ = v.StringValueOK()
	}

	if c.DB == "" {
		return Command{}, fmt.Errorf("%w: %s names no database", errMalformed, c.Name)
	}

	if c.Writes() {
		c.Collection, _ = first.Value().StringValueOK()
	}

	if c.Name == "renameCollection" {
		to, _ := doc.Lookup("to").StringValueOK()
		if db, collection, ok := strings.Cut(to, "."); ok {
			c.DB, c.Collection = db, collection
		}
	}

	return c, nil
}
