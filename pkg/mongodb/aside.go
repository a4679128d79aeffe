package mongodb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// asideConnections bounds the connections to each server. One is used at a
	// time; another may be dying.
	asideConnections = 2
	// asideConnectTimeout is shorter than that of other connections: who beats
	// had better try again.
	asideConnectTimeout = 3 * time.Second
)

// aside is a second way to the deployment, opened when it is first asked for.
type aside struct {
	open   func() (*mongo.Client, error)
	mu     sync.Mutex
	mongo  *mongo.Client
	closed bool
}

// beside are the driver's options for it.
func (o Options) beside(c candidate, pool *event.PoolMonitor) *options.ClientOptions {
	return o.driver(c, pool).SetMinPoolSize(0).SetMaxPoolSize(asideConnections).SetConnectTimeout(asideConnectTimeout)
}

// Aside returns the same database over a few connections of its own. Heartbeats
// take this way: they must wait neither until the commands of jobs give a
// connection back, nor for connections that died in silence, of which the common
// pool may hold many. Close closes it too.
func (c *Client) Aside() (*mongo.Database, error) {
	c.aside.mu.Lock()
	defer c.aside.mu.Unlock()
	if c.aside.closed {
		return nil, mongo.ErrClientDisconnected
	}
	if c.aside.mongo == nil {
		opened, err := c.aside.open()
		if err != nil {
			return nil, fmt.Errorf("open a second way to MongoDB at %s: %w", c.target.Host, err)
		}
		c.aside.mongo = opened
	}
	return c.aside.mongo.Database(c.database), nil
}

func (a *aside) close(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.mongo == nil {
		return nil
	}
	if err := a.mongo.Disconnect(ctx); !errors.Is(err, mongo.ErrClientDisconnected) {
		return err
	}
	return nil
}
