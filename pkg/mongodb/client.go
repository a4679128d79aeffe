package mongodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/etrainer/backend/pkg/redact"
)

const (
	// fallbackAfter is how many attempts Atlas gets before the fallback is
	// tried with it.
	fallbackAfter = 3
	// The pauses between attempts, before jitter.
	firstPause, longestPause = 500 * time.Millisecond, 10 * time.Second
	// disconnectTimeout bounds the closing of a connection that is given up.
	disconnectTimeout = 5 * time.Second
)

// Client is a connection to one MongoDB deployment. It is made by Connect and
// safe for concurrent use.
type Client struct {
	mongo        *mongo.Client
	database     string
	target       Target
	capabilities Capabilities
	pool         *pool
	aside        aside
	clock        clockwork.Clock
}

// Target is the deployment that was chosen, without credentials.
type Target struct {
	// Name is the variable that chose it: MONGODB_ATLAS_URI,
	// MONGODB_ATLAS_CLUSTER or MONGODB_URI.
	Name string
	// Host is its host, or hosts with commas, as the address names them.
	Host string
	// Fallback reports that Atlas is configured, but did not answer.
	Fallback bool
}

// First splits the first of the hosts. Without a port it is MongoDB's own, and 0
// where the text is none.
func (t Target) First() (host string, port int) {
	first, _, _ := strings.Cut(t.Host, ",")
	host, text, err := net.SplitHostPort(first)
	if err != nil {
		return first, 27017
	}
	port, _ = strconv.Atoi(text)
	return host, port
}

// Connect connects to the first candidate that answers as a primary. It tries
// again, with growing and jittered pauses, until ctx ends; each failed attempt
// is logged as a warning. Mistakes in the addresses are returned at once, as
// config.ErrConfig.
func Connect(ctx context.Context, o Options) (*Client, error) {
	o = o.withDefaults()
	candidates, err := o.candidates()
	if err != nil {
		return nil, fmt.Errorf("connect to MongoDB: %w", err)
	}
	var last error
	attempt := 0
	client, err := backoff.Retry(ctx, func() (*Client, error) {
		attempt++
		var client *Client
		client, last = o.round(ctx, candidates, attempt)
		return client, last
	}, backoff.WithMaxElapsedTime(0), backoff.WithBackOff(pauses()))
	if err != nil {
		return nil, fmt.Errorf("connect to MongoDB: gave up after %d attempts: %w: %w", attempt, err, last)
	}
	client.announce(ctx, o.Log)
	return client, nil
}

func pauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = firstPause, longestPause, 2, 0.5
	return b
}

// round tries each candidate once.
func (o Options) round(ctx context.Context, candidates []candidate, attempt int) (*Client, error) {
	var problems []error
	for _, c := range candidates {
		if c.Fallback && attempt < fallbackAfter {
			continue
		}
		client, err := o.open(ctx, c)
		if err == nil {
			return client, nil
		}
		problems = append(problems, err)
		o.Log.WarnContext(ctx, "MongoDB does not answer", slog.Int("attempt", attempt), slog.Any("error", err))
	}
	return nil, errors.Join(problems...)
}

// open connects to one candidate and asks what it is.
func (o Options) open(ctx context.Context, c candidate) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, o.AttemptTimeout)
	defer cancel()
	stats := &pool{}
	driver, err := mongo.Connect(o.driver(c, stats.monitor()))
	if err != nil {
		return nil, failed(c, "read the address", err)
	}
	client := &Client{mongo: driver, database: c.database, target: c.Target, pool: stats, clock: o.Clock}
	client.aside.open = func() (*mongo.Client, error) { return mongo.Connect(o.beside(c, stats.monitor())) }
	if client.capabilities, err = detect(ctx, driver); err != nil {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), disconnectTimeout)
		defer cancel()
		return nil, errors.Join(failed(c, "reach", err), client.Close(closing))
	}
	return client, nil
}

// failed words an error of the driver, which may quote the address.
func failed(c candidate, what string, err error) error {
	if sentence := unreachable(c.Name, err); sentence != "" {
		return &attemptError{text: redact.Text(sentence), err: err}
	}
	return &attemptError{text: fmt.Sprintf("%s of %s (%s): %s", what, c.Name, c.Host, redact.Text(err.Error())), err: err}
}

// attemptError has the text of an error without credentials, and its chain.
type attemptError struct {
	text string
	err  error
}

func (e *attemptError) Error() string { return e.text }
func (e *attemptError) Unwrap() error { return e.err }

func (c *Client) announce(ctx context.Context, log *slog.Logger) {
	attrs := []any{
		slog.String("target", c.target.Name), slog.String("host", c.target.Host), slog.String("database", c.database),
		slog.String("engine", c.capabilities.Engine), slog.String("engine_version", c.capabilities.Version),
		slog.String("topology", c.capabilities.Topology),
	}
	if c.target.Fallback {
		log.ErrorContext(ctx, "Atlas does not answer; using the fallback database: jobs and data go there, apart from Atlas, until a restart", attrs...)
		return
	}
	log.InfoContext(ctx, "connected to MongoDB", attrs...)
}

// Mongo returns the driver's client.
func (c *Client) Mongo() *mongo.Client { return c.mongo }

// Database returns the database that the address names, else
// DefaultDatabase: written with write concern majority and journal, read from
// the primary.
func (c *Client) Database() *mongo.Database { return c.mongo.Database(c.database) }

// Reports returns the same database for statistics that may be a little old:
// it is read from a secondary where there is one, and only what a majority has.
func (c *Client) Reports() *mongo.Database {
	return c.mongo.Database(c.database, options.Database().SetReadPreference(readpref.SecondaryPreferred()).SetReadConcern(readconcern.Majority()))
}

// Name returns the name of the database.
func (c *Client) Name() string { return c.database }

// Namespace begins the names that processes which share the database give to
// what they share elsewhere, such as in Redis. A fallback has one of its own,
// since its database is often called as that of Atlas.
func (c *Client) Namespace() string {
	if c.target.Fallback {
		return "fallback:" + c.database
	}
	return c.database
}

// Target returns which deployment was chosen.
func (c *Client) Target() Target { return c.target }

// Capabilities returns what the deployment could do when Connect asked it.
func (c *Client) Capabilities() Capabilities { return c.capabilities }

// Ping asks the primary for a sign of life.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.mongo.Ping(ctx, readpref.Primary()); err != nil {
		return fmt.Errorf("ping MongoDB at %s: %w", c.target.Host, err)
	}
	return nil
}

// Close closes the connections; operations that are going on have until the
// end of ctx. Closing what is closed does nothing.
func (c *Client) Close(ctx context.Context) error {
	err := c.mongo.Disconnect(ctx)
	if errors.Is(err, mongo.ErrClientDisconnected) {
		err = nil
	}
	if err = errors.Join(err, c.aside.close(ctx)); err != nil {
		return fmt.Errorf("disconnect from MongoDB at %s: %w", c.target.Host, err)
	}
	return nil
}
