// Package migrate carries out numbered steps on a database: one process at a
// time, in order, each recorded with its checksum, and resumable where it was
// broken off.
//
// A step plans before it acts: its plan is read from the database as it is,
// and lists actions in words. "migrate plan" prints them and "migrate up"
// carries out the same ones, so the two cannot differ, and a step that was
// killed half-way plans what is left of it.
package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb"
)

// Target is the database that steps work on, and what they are told.
type Target struct {
	DB           *mongo.Database
	Capabilities mongodb.Capabilities
	// Jobs is the name of the job collection.
	Jobs string
	// Zone is the time zone of recurring jobs; NodeZone is the one in which
	// the Node processes ran those that name none.
	Zone, NodeZone *time.Location
	// DropUseless also drops the Node backend's useless indexes.
	DropUseless bool
	// Now is the server's time.
	Now func() time.Time
}

// Action is one thing that a step does.
type Action struct {
	Collection string `json:"collection,omitempty"`
	// Text is one sentence.
	Text string `json:"text"`
	// Documents is how many are changed or removed.
	Documents int `json:"documents,omitempty"`
	// Remark reports that nothing is done: it is only said.
	Remark bool `json:"remark,omitempty"`
	// Makes names what did not exist before, for the way back: it goes into
	// the step's record before Do runs.
	Makes string `json:"-"`
	// Do does it; nil for a remark. It must be safe to repeat.
	Do func(ctx context.Context) error `json:"-"`
}

// Remark is an action that is only said.
func Remark(collection, format string, values ...any) Action {
	return Action{Collection: collection, Text: fmt.Sprintf(format, values...), Remark: true}
}

// Step is one numbered change. Applied steps are never edited: a change of
// mind is a new step.
type Step struct {
	Number int
	Name   string // as in a file name
	Why    string // one sentence
	// Revision is raised when what the step does is changed after all; a
	// database to which the old one was applied is refused then.
	Revision int
	// Content goes into the checksum as well.
	Content string
	// Repeats: the step is applied again when its checksum has changed,
	// instead of being refused.
	Repeats bool
	// ReadableFrom is the lowest schema version of a program that can work
	// with the database afterwards; 0 = any.
	ReadableFrom int
	// Plan reads the database and lists what is to do; nothing = done.
	Plan func(ctx context.Context, target Target) ([]Action, error)
	// Undo lists what takes the step back. made is what its actions made. nil =
	// the step cannot be undone, and Irreversible says why.
	Undo         func(ctx context.Context, target Target, made []string) ([]Action, error)
	Irreversible string
}

// Checksum changes when the step does.
func (s Step) Checksum() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d|%s|%d|%s", s.Number, s.Name, s.Revision, s.Content))
	return hex.EncodeToString(sum[:8])
}

func (s Step) String() string { return fmt.Sprintf("%04d %s", s.Number, s.Name) }
