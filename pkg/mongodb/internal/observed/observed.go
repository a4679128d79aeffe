// Package observed lets tests see the commands of every client that package
// mongodb makes, also of a program that a test runs as a whole.
package observed

import (
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/event"
)

var monitor atomic.Pointer[event.CommandMonitor]

// By makes a monitor see the clients that are made from now on. Package mongotest
// alone calls it.
func By(m *event.CommandMonitor) { monitor.Store(m) }

// Monitor is the one that By was given; nil outside of tests.
func Monitor() *event.CommandMonitor { return monitor.Load() }
