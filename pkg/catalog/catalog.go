// Package catalog is the contract between the api and the worker: the names
// of the jobs that this product runs, the payload of each with its
// validation, and the defaults that both sides apply. A name that is not here
// is run, if at all, by somebody else on the same collection.
package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// Definition describes one kind of job.
type Definition struct {
	// Name is the job's name in the collection; Agenda's names have spaces.
	Name string
	// Description is one sentence for operators.
	Description string
	// Priority of jobs that do not ask for another; 0 = job.PriorityNormal.
	Priority float64
	// Concurrency is how many run at once in one process; 0 = the process'
	// default.
	Concurrency int
	// LockLifetime is how long a lease of this name stands without renewal.
	// 0 = ten minutes, as in Agenda. It must equal what Node peers use.
	LockLifetime time.Duration
	// Timeout cancels the handler's context; 0 = none.
	Timeout time.Duration
	// Retry is the policy for failures; the zero value means the defaults.
	Retry job.Retry
	// Repeat, when its Interval is set, makes this a recurring job that the
	// worker keeps armed.
	Repeat schedule.Spec
	// Missed and Overlap are the policies of a recurring job.
	Missed  job.MissedPolicy
	Overlap job.OverlapPolicy

	validate func(data []byte) error
}

// Payload is what a job's data must satisfy. Validate returns one sentence
// that names the field, the value and the mend.
type Payload interface{ Validate() error }

// Job is a Definition with the type of its payload, for typed handlers and
// typed enqueues.
type Job[P Payload] struct{ Definition }

// Define makes a Job whose payload is decoded into P strictly: a field that P
// does not have is refused.
func Define[P Payload](definition Definition) Job[P] {
	definition.validate = func(data []byte) error {
		_, err := decodeStrict[P](data)
		return err
	}
	return Job[P]{Definition: definition}
}

// Decode reads a stored payload. Null and missing payloads give the zero P.
// Unknown fields are ignored here: the job was accepted already, perhaps by a
// Node process that knows more fields.
func (Job[P]) Decode(document *job.Document) (P, error) {
	var payload P
	if err := document.DecodeData(&payload); err != nil {
		return payload, err
	}
	return payload, payload.Validate()
}

// Validate checks a payload, given as JSON, before it is enqueued.
func (d Definition) Validate(data []byte) error {
	if d.validate == nil {
		return nil
	}
	if err := d.validate(data); err != nil {
		return fmt.Errorf("data of %q: %w", d.Name, err)
	}
	return nil
}

func decodeStrict[P Payload](data []byte) (P, error) {
	var payload P
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		return payload, payload.Validate()
	}
	decoder := json.NewDecoder(bytes.NewReader(trimmed))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&payload); err != nil {
		return payload, readable(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return payload, errors.New("there is text after the JSON value; send one JSON object")
	}
	return payload, payload.Validate()
}

// readable turns the messages of encoding/json into sentences for clients.
func readable(err error) error {
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrongType.Field == "" {
			return fmt.Errorf("must be a JSON object, not %s", found(wrongType.Value))
		}
		return fmt.Errorf("%s must be %s, not %s", wrongType.Field, wanted(wrongType.Type), found(wrongType.Value))
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("field %s is unknown; remove it", field)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("is not valid JSON: %w", err)
	}
	return err // of a field that reads itself, such as a time
}

// wanted is a Go type in the words of JSON.
func wanted(t reflect.Type) string {
	switch kind := t.Kind(); {
	case kind >= reflect.Int && kind <= reflect.Uintptr:
		return "a whole number"
	case kind == reflect.Float32, kind == reflect.Float64:
		return "a number"
	case kind == reflect.String:
		return "a string"
	case kind == reflect.Bool:
		return "true or false"
	case kind == reflect.Slice, kind == reflect.Array:
		return "an array"
	default:
		return "an object"
	}
}

// found is what encoding/json calls a value that it met.
func found(value string) string {
	switch value {
	case "array", "object":
		return "an " + value
	case "bool":
		return "true or false"
	case "number", "string":
		return "a " + value
	default: // "number 1.5"
		return "the " + value
	}
}

// Catalog is a set of definitions.
type Catalog struct{ byName map[string]Definition }

// New makes a catalog. It panics on a name that is empty or used twice, since
// a catalog is written in source code.
func New(definitions ...Definition) *Catalog {
	c := &Catalog{byName: make(map[string]Definition, len(definitions))}
	for _, d := range definitions {
		if d.Name == "" {
			panic("catalog: a definition has no name")
		}
		if _, twice := c.byName[d.Name]; twice {
			panic(fmt.Sprintf("catalog: %q is defined twice", d.Name))
		}
		c.byName[d.Name] = d
	}
	return c
}

// Lookup finds a definition by name.
func (c *Catalog) Lookup(name string) (Definition, bool) {
	d, ok := c.byName[name]
	return d, ok
}

// Names lists the names in order.
func (c *Catalog) Names() []string {
	names := make([]string, 0, len(c.byName))
	for name := range c.byName {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Recurring lists the definitions that the worker keeps armed, by name.
func (c *Catalog) Recurring() []Definition {
	var recurring []Definition
	for _, name := range c.Names() {
		if d := c.byName[name]; d.Repeat.Interval != "" {
			recurring = append(recurring, d)
		}
	}
	return recurring
}
