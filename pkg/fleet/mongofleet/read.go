package mongofleet

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	// longest is how long after its last heartbeat an instance can say that it
	// lives. Whoever says more would never be dead.
	longest = 24 * time.Hour
	// maxText bounds what a problem quotes of a document.
	maxText = 200
	// mend is what to do about a document that is no instance.
	mend = "remove the document; if its process still runs, restart that"
)

// known are the fields that are read: a document may hold megabytes of others.
var known = func() bson.D {
	var fields bson.D
	for _, name := range []string{
		"kind", "host", "pid", "version", "startedAt", "seenAt", "expiresAt", "endsAt",
		"inFlight", "memory", "parent", "draining", "problems", "runs",
	} {
		fields = append(fields, bson.E{Key: name, Value: 1})
	}
	return fields
}()

// Instances implements fleet.Registry. Each document is read for itself, and
// each field: what one process or person damaged costs nobody else.
func (r *Registry) Instances(ctx context.Context) ([]fleet.Instance, error) {
	cursor, err := r.instances.Find(ctx, bson.D{},
		options.Find().SetSort(bson.D{{Key: "startedAt", Value: 1}, {Key: "_id", Value: 1}}).SetProjection(known))
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	instances := []fleet.Instance{}
	now := r.now()
	for cursor.Next(ctx) {
		instance, fault := read(cursor.Current, now)
		if fault.what != "" {
			r.report(ctx, cursor.Current, fault.what)
		}
		if !fault.fatal {
			instances = append(instances, instance)
		}
	}
	if err := cursor.Err(); err != nil {
		return nil, fmt.Errorf("read instances: %w", err)
	}
	return instances, nil
}

func (r *Registry) report(ctx context.Context, document bson.Raw, what string) {
	r.problems.Report(ctx, queue.Problem{
		Collection: r.instances.Name(), ID: textOf(document.Lookup("_id")),
		What: "this document is not what a process of this product writes: " + what, Fix: mend,
	})
}

// fault is what is wrong with a document.
type fault struct {
	what  string // "" = nothing
	fatal bool   // it cannot be told who this is, or whether it lives
}

// read reads one document. now is the server's time.
func read(document bson.Raw, now time.Time) (fleet.Instance, fault) {
	var i fleet.Instance
	var kind string
	f := fields{document: document}
	f.text("_id", &i.ID)
	f.text("kind", &kind)
	f.date("seenAt", &i.SeenAt)
	f.date("expiresAt", &i.ExpiresAt)
	i.Kind = fleet.Kind(kind)
	f.expect("_id", i.ID != "", "is empty")
	f.expect("kind", i.Kind == fleet.API || i.Kind == fleet.Worker, fmt.Sprintf("is %q, and not api or worker", errs.ShortenTo(kind, maxText)))
	f.expect("expiresAt", i.Span() <= longest, "is more than a day after seenAt")
	f.expect("seenAt", i.SeenAt.Before(now.Add(longest)), "is more than a day ahead")
	if f.what != "" {
		return i, fault{what: f.what, fatal: true}
	}
	f.optional = true
	f.date("startedAt", &i.StartedAt)
	f.date("endsAt", &i.EndsAt)
	f.expect("endsAt", i.EndsAt.Sub(i.SeenAt) <= longest, "is more than a day after seenAt")
	f.text("host", &i.Host)
	f.text("version", &i.Version)
	value(&f, "pid", &i.PID)
	value(&f, "memory", &i.Memory)
	value(&f, "parent", &i.Parent)
	value(&f, "draining", &i.Draining)
	value(&f, "problems", &i.Problems)
	if !value(&f, "inFlight", &i.InFlight) {
		i.InFlight = 1 // who knows: it is watched as if it had work in hand
	}
	var runs []nameLimit
	if value(&f, "runs", &runs); len(runs) > 0 {
		i.Names = make(map[string]int, len(runs))
	}
	for _, run := range runs {
		i.Names[run.Name] = run.Limit
	}
	return i, fault{what: f.what}
}

// fields reads the fields of a document, and keeps the first fault.
type fields struct {
	document bson.Raw
	optional bool // what is missing is no fault
	what     string
}

// expect keeps a fault of a field that can be read.
func (f *fields) expect(name string, holds bool, fault string) {
	if !holds && f.what == "" {
		f.what = "the field " + name + " " + fault
	}
}

// lookup returns a field. Where it is absent, present is false.
func (f *fields) lookup(name string) (value bson.RawValue, present bool) {
	value = f.document.Lookup(name)
	present = value.Type != 0 && value.Type != bson.TypeNull && value.Type != bson.TypeUndefined
	f.expect(name, present || f.optional, "is missing")
	return value, present
}

func (f *fields) text(name string, into *string) {
	if value, present := f.lookup(name); present {
		text, ok := value.StringValueOK()
		f.expect(name, ok, "is no text but a value of the type "+value.Type.String())
		*into = text
	}
}

func (f *fields) date(name string, into *time.Time) {
	if value, present := f.lookup(name); present {
		at, ok := value.TimeOK()
		f.expect(name, ok, "is no date but a value of the type "+value.Type.String())
		if ok {
			*into = at.UTC()
		}
	}
}

// value reads a field of any other kind, and reports whether it could.
func value[T any](f *fields, name string, into *T) (ok bool) {
	stored, present := f.lookup(name)
	if !present {
		return true
	}
	var read T
	if err := stored.Unmarshal(&read); err != nil {
		f.expect(name, false, "cannot be read: "+errs.ShortenTo(err.Error(), maxText))
		return false
	}
	*into = read
	return true
}

// textOf is an _id of any type for people.
func textOf(id bson.RawValue) string {
	if text, ok := id.StringValueOK(); ok {
		return errs.ShortenTo(text, maxText)
	}
	if oid, ok := id.ObjectIDOK(); ok {
		return oid.Hex()
	}
	return errs.ShortenTo(id.String(), maxText)
}
