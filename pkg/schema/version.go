package schema

import "fmt"

const (
	// Version is the schema that this code was written for: the number of the
	// newest step of the module migrations.
	Version = 6
	// Oldest is the oldest schema that this code can work with.
	Oldest = 6
)

// State is what a database says of itself, in the document StateID of
// MigrationsCollection. The zero value is a database that was never migrated.
type State struct {
	// Version is the number of the newest step that was applied.
	Version int `bson:"version" json:"version"`
	// ReadableFrom is the lowest Version of a program that can work with the
	// database: an older program goes on through a rolling upgrade when every
	// step that it does not know only added things.
	ReadableFrom int `bson:"readableFrom" json:"readableFrom"`
	// Indexes is the Fingerprint of the indexes that were made.
	Indexes string `bson:"indexes,omitempty" json:"indexes,omitempty"`
}

// StateID is the _id of the document that holds the State.
const StateID = "schema"

// Program is what a program can work with.
type Program struct {
	Version int // the schema it was written for
	Oldest  int // the oldest one that it can work with
}

// This is the program that is running.
var This = Program{Version: Version, Oldest: Oldest}

// MismatchError tells that a program and a database do not go together.
type MismatchError struct {
	State   State
	Program Program
}

// Error names both versions, and the command that mends it.
func (e *MismatchError) Error() string {
	if e.State.Version < e.Program.Oldest {
		return fmt.Sprintf("the database has schema version %d, and this program needs %s; run: migrate up",
			e.State.Version, e.Program.needs())
	}
	return fmt.Sprintf("the database has schema version %d, which programs below version %d cannot use, and this program has %d; "+
		"start a newer release, or go back with the newer release's: migrate down --to %d",
		e.State.Version, e.State.ReadableFrom, e.Program.Version, e.Program.Version)
}

func (p Program) needs() string {
	if p.Oldest == p.Version {
		return fmt.Sprint(p.Version)
	}
	return fmt.Sprintf("%d to %d", p.Oldest, p.Version)
}

// Check returns a MismatchError when the program cannot work with the
// database, else nil. A newer database is fine as long as its steps say that
// they leave older programs working.
func (p Program) Check(s State) error {
	tooOld := s.Version < p.Oldest
	tooNew := s.Version > p.Version && s.ReadableFrom > p.Version
	if tooOld || tooNew {
		return &MismatchError{State: s, Program: p}
	}
	return nil
}
