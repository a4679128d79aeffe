// Package migrations holds the program migrate: numbered changes of the
// database, one run at a time, each recorded. The steps are in internal/steps,
// what carries them out is in internal/migrate.
package migrations
