// Package fleet is the port that tells which api and worker processes are
// alive, what each can run, and which of them died with leases in hand. Every
// process keeps one document about itself in the collection agendaInstances
// and declares until when others may believe it.
package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/etrainer/backend/pkg/queue"
)

// ErrDeclaredDead is returned by Beat when other processes have already taken
// this instance for dead: its leases are gone, and it must register anew.
var ErrDeclaredDead = errors.New("this instance was declared dead: its heartbeat came too late")

// Kind is the program that an instance runs.
type Kind string

// The kinds of instance.
const (
	API    Kind = "api"
	Worker Kind = "worker"
)

// Instance is one live process.
type Instance struct {
	ID        string         `bson:"_id" json:"id"`
	Kind      Kind           `bson:"kind" json:"kind"`
	Host      string         `bson:"host" json:"host"`
	PID       int            `bson:"pid" json:"pid"`
	Version   string         `bson:"version" json:"version"`
	StartedAt time.Time      `bson:"startedAt" json:"startedAt"`
	SeenAt    time.Time      `bson:"seenAt" json:"seenAt"`                     // last heartbeat
	ExpiresAt time.Time      `bson:"expiresAt" json:"expiresAt"`               // suspect when this has passed
	EndsAt    time.Time      `bson:"endsAt,omitempty" json:"-"`                // its handlers have ended when this has passed; zero = it has none, or does not say
	Names     map[string]int `bson:"-" json:"names,omitempty"`                 // job names it runs, with the limit of each in this process
	InFlight  int            `bson:"inFlight" json:"inFlight"`                 // leases held by a worker, requests of an api
	Memory    uint64         `bson:"memory" json:"memory"`                     // resident bytes
	Parent    *Parent        `bson:"parent,omitempty" json:"parent,omitempty"` // nil = it has none
	Draining  bool           `bson:"draining" json:"draining"`                 // finishing its work before it stops
	// Problems are documents that this instance cannot use, at most MaxProblems.
	// For Beat, nil leaves those that are stored as they are.
	Problems []queue.Problem `bson:"problems,omitempty" json:"problems,omitempty"`
}

// MaxProblems bounds what an instance tells of, so that its document stays small.
const MaxProblems = 20

// Span is how long after a heartbeat others believe in the instance: what it
// declared with the last one.
func (i Instance) Span() time.Duration { return max(i.ExpiresAt.Sub(i.SeenAt), 0) }

// Busy reports whether the instance said that it has work in hand, or is about to:
// leases, where it is a worker.
func (i Instance) Busy() bool { return i.InFlight > 0 || !i.EndsAt.IsZero() }

// Registry keeps the instances. Times are the database server's.
type Registry interface {
	// Register writes the document of a new instance.
	Register(ctx context.Context, self Instance) error
	// Beat renews it: seenAt, expiresAt, endsAt, and what changes with time:
	// inFlight, draining, memory, parent and problems. It returns
	// ErrDeclaredDead when the document is no longer there.
	Beat(ctx context.Context, self Instance) error
	// Leave removes it: the process stopped in good order.
	Leave(ctx context.Context, id string) error
	// Instances lists all instances, expired ones included, oldest first. A
	// document that is none is left out.
	Instances(ctx context.Context) ([]Instance, error)
	// Bury removes an instance that is dead, once its leases have been
	// released. It reports whether this call was the one that did; an instance
	// that has beaten since dead.SeenAt, or is not expired, is left alone.
	Bury(ctx context.Context, dead Instance) (bool, error)
}
