package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/wake"
)

// Client enqueues jobs: it checks the name and the payload, reads the time,
// stores the job and wakes the workers.
type Client struct {
	store   Store
	now     func() time.Time
	catalog *catalog.Catalog
	waker   wake.Publisher
	options ClientOptions
}

// wakeHorizon is how far ahead a job may be planned and still be announced at
// once: workers look further ahead than this with every poll, so later jobs
// are found in time by polling alone.
const wakeHorizon = time.Minute

// ClientOptions are the optional parts of a Client.
type ClientOptions struct {
	// OtherNames lists names beyond the catalog that some live worker can
	// run. It is asked because of one of them, and may answer from memory if
	// that is there. nil = none.
	OtherNames func(ctx context.Context, wanted string) ([]string, error)
	// Zone is the time zone of phrases such as "tomorrow at noon" when the
	// caller names none. nil = UTC.
	Zone *time.Location
	// Log receives what does not fail an enqueue, such as a wake-up that
	// could not be sent. nil = nothing is logged.
	Log *slog.Logger
}

// NewClient returns a Client that enqueues the jobs of a catalog. A nil waker wakes
// nobody: workers find jobs when they poll. It panics without a store or a catalog.
func NewClient(store Store, jobs *catalog.Catalog, waker wake.Publisher, options ClientOptions) *Client {
	if store == nil {
		panic("queue: NewClient was given no store")
	}
	if jobs == nil {
		panic("queue: NewClient was given no catalog; catalog.New() is an empty one")
	}
	if waker == nil {
		waker = wake.Silent{}
	}
	if options.Zone == nil {
		options.Zone = time.UTC
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{store: store, now: store.Now, catalog: jobs, waker: waker, options: options}
}

// Option changes one enqueue.
type Option func(*enqueue)

type enqueue struct {
	request    Request
	at         time.Time
	in         time.Duration
	when       *string
	zone       *time.Location
	anyName    bool
	priority   *float64
	timesGiven int
}

// At plans the job for an instant; one in the past runs at once.
func At(t time.Time) Option { return func(e *enqueue) { e.at = t; e.timesGiven++ } }

// In plans the job for a time from now, by the server's clock.
func In(d time.Duration) Option { return func(e *enqueue) { e.in = d; e.timesGiven++ } }

// When plans the job by text, as schedule.ParseWhen reads it: "now", an
// instant, epoch milliseconds or an English phrase. zone nil = the client's.
func When(text string, zone *time.Location) Option {
	return func(e *enqueue) { e.when, e.zone = &text, zone; e.timesGiven++ }
}

// Priority overrides the definition's priority.
func Priority(p float64) Option { return func(e *enqueue) { e.priority = &p } }

// UniqueBy makes the job the only one of its name with these payload values;
// see Unique.
func UniqueBy(by map[string]any, insertOnly bool) Option {
	return func(e *enqueue) { e.request.Unique = &Unique{By: by, InsertOnly: insertOnly} }
}

// Idempotent makes repeated requests with this key one job. Scope the key by
// caller, so that two callers cannot meet.
func Idempotent(key string) Option { return func(e *enqueue) { e.request.IdempotencyKey = key } }

// AnyName allows a name that only a Node process may know: it is stored
// without a check of name or payload.
func AnyName() Option { return func(e *enqueue) { e.anyName = true } }

// Enqueue stores one job. payload is anything that encodes to JSON, or
// json.RawMessage; nil = null. Failures of the caller are *errs.Error of kind
// Invalid (unknown name, unreadable time, wrong payload) or Conflict (an
// idempotency key that belongs to another request).
func (c *Client) Enqueue(ctx context.Context, name string, payload any, options ...Option) (Receipt, error) {
	e := enqueue{request: Request{Name: name}}
	for _, option := range options {
		option(&e)
	}
	if err := c.fill(ctx, &e, payload); err != nil {
		return Receipt{}, err
	}
	receipts, err := c.store.Enqueue(ctx, e.request)
	if err != nil {
		return Receipt{}, enqueueError(err, e.request)
	}
	c.wake(ctx, receipts)
	return receipts[0], nil
}

// EnqueueMany stores jobs in one command and wakes the workers once per name.
// Every request is checked before any is stored. Use job.ToData for payloads.
func (c *Client) EnqueueMany(ctx context.Context, requests ...Request) ([]Receipt, error) {
	for i := range requests {
		if err := c.check(ctx, requests[i]); err != nil {
			return nil, fmt.Errorf("request %d: %w", i, err)
		}
	}
	receipts, err := c.store.Enqueue(ctx, requests...)
	if err != nil {
		return nil, fmt.Errorf("enqueue %d jobs: %w", len(requests), err)
	}
	c.wake(ctx, receipts)
	return receipts, nil
}

func (c *Client) fill(ctx context.Context, e *enqueue, payload any) (err error) {
	if e.timesGiven > 1 {
		return errs.Invalid("when", "give one of At, In and When, not several")
	}
	if e.request.Data, err = job.ToData(payload); err != nil {
		return errs.Invalid("data", "data cannot be stored: %v", err)
	}
	if !e.anyName {
		if err := c.check(ctx, e.request); err != nil {
			return err
		}
	}
	if definition, ok := c.catalog.Lookup(e.request.Name); ok {
		e.request.Priority = definition.Priority
	}
	if e.priority != nil {
		e.request.Priority = *e.priority
	}
	e.request.RunAt, err = c.runAt(e)
	return err
}

func (c *Client) runAt(e *enqueue) (time.Time, error) {
	switch {
	case e.in != 0:
		return c.now().Add(e.in), nil
	case e.when == nil:
		return e.at, nil
	}
	zone := e.zone
	if zone == nil {
		zone = c.options.Zone
	}
	at, err := schedule.ParseWhen(*e.when, c.now(), zone)
	if err != nil {
		return time.Time{}, errs.Invalid("when", "%s", err)
	}
	return at, nil
}

// check refuses unknown names and, for names of the catalog, wrong payloads.
func (c *Client) check(ctx context.Context, request Request) error {
	definition, ok := c.catalog.Lookup(request.Name)
	if !ok {
		return c.checkForeign(ctx, request.Name)
	}
	text, err := json.Marshal(job.PlainValue(request.Data))
	if err != nil {
		return errs.Invalid("data", "data cannot be read back: %v", err)
	}
	if err := definition.Validate(text); err != nil {
		return errs.Invalid("data", "%s", err)
	}
	return nil
}

func (c *Client) checkForeign(ctx context.Context, name string) error {
	known := c.catalog.Names()
	if c.options.OtherNames != nil {
		others, err := c.options.OtherNames(ctx, name)
		if err != nil {
			return fmt.Errorf("list the names that workers can run: %w", err)
		}
		for _, other := range others {
			if other == name {
				return nil
			}
			if _, listed := c.catalog.Lookup(other); !listed {
				known = append(known, other)
			}
		}
	}
	return errs.Invalid("name", "name %q is unknown: no worker can run it; use one of: %s", name, strings.Join(known, ", "))
}

func (c *Client) wake(ctx context.Context, receipts []Receipt) {
	now, told := c.now(), map[string]bool{}
	for _, receipt := range receipts {
		name := receipt.Job.Name
		if told[name] || receipt.Job.NextRunAt.After(now.Add(wakeHorizon)) {
			continue
		}
		told[name] = true
		if err := c.waker.Publish(ctx, wake.Signal{Kind: wake.Due, Name: name}); err != nil {
			c.options.Log.WarnContext(ctx, "wake-up not sent; workers will find the job at their next poll",
				slog.String("job_name", name), slog.Any("error", err))
			return
		}
	}
}
