package web

import (
	"errors"

	"github.com/etrainer/backend/pkg/mongodb"
)

// ErrDatabaseAway is the failure of a request that needs the database while
// there is no connection to it.
var ErrDatabaseAway = errors.New("the database is not connected")

// databaseAway reports whether the database did not answer, or not in time: a
// failure that says nothing about the request, which may work later.
func databaseAway(err error) bool {
	return errors.Is(err, ErrDatabaseAway) || mongodb.IsUnavailable(err)
}
