package redislimit

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// NewWithClock returns a Store on another clock than that of Redis.
func NewWithClock(client redis.UniversalClient, now func() time.Time) *Store {
	return &Store{client: client, now: now}
}
