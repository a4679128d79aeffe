// Package redislimit counts in Redis, so that a limit holds across all
// processes. One script takes or refunds atomically, by the clock of Redis.
package redislimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/limit"
)

// prefix begins every key.
const prefix = "etrainer:limit:"

// timeout bounds one call: a request waits for it.
const timeout = 500 * time.Millisecond

// script is limit.window in Lua. KEYS[1] is a hash of slot number to units
// taken in it. ARGV: the most, the slots, the milliseconds of one slot, the
// units to take (fewer than none gives back), and the time, if not that of Redis.
// It returns: allowed, remaining, milliseconds until one is free, and until
// enough are.
var script = redis.NewScript(`
local max, slots, length, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = tonumber(ARGV[5])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local slot = math.floor(now / length)
local stored, window, used = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #stored, 2 do
  local at, units = tonumber(stored[i]), tonumber(stored[i + 1])
  if at > slot - slots then
    window[#window + 1] = {at, units}
    used = used + units
  else
    redis.call('HDEL', KEYS[1], stored[i])
  end
end
table.sort(window, function(a, b) return a[1] < b[1] end)
if n < 0 then
  for i = #window, 1, -1 do
    local back = math.min(-n, window[i][2])
    if back == window[i][2] then
      redis.call('HDEL', KEYS[1], window[i][1])
    elseif back > 0 then
      redis.call('HINCRBY', KEYS[1], window[i][1], -back)
    end
    n = n + back
  end
  return {1, 0, 0, 0}
end
local function free(units)
  for _, taken in ipairs(window) do
    units = units - taken[2]
    if units <= 0 then return (taken[1] + slots) * length - now end
  end
  return 0
end
if used + n > max then
  return {0, math.max(max - used, 0), free(1), free(used + n - max)}
end
redis.call('HINCRBY', KEYS[1], slot, n)
redis.call('PEXPIRE', KEYS[1], slots * length)
window[#window + 1] = {slot, n}
return {1, max - used - n, free(1), 0}
`)

// Store implements limit.Store. It is safe for concurrent use.
type Store struct {
	client redis.UniversalClient
	now    func() time.Time // nil = the clock of Redis
}

var _ limit.Store = (*Store)(nil)

// New returns a Store.
func New(client redis.UniversalClient) *Store { return &Store{client: client} }

// Take implements limit.Store.
func (s *Store) Take(ctx context.Context, rule limit.Rule, key string, n int) (limit.Result, error) {
	reply, err := s.run(ctx, rule, key, n)
	if err != nil {
		return limit.Result{}, fmt.Errorf("take of the limit %q: %w", rule.Name, err)
	}
	return limit.Result{
		Allowed: reply[0] == 1, Remaining: int(reply[1]),
		Reset: milliseconds(reply[2]), RetryAfter: milliseconds(reply[3]),
	}, nil
}

// Refund implements limit.Store.
func (s *Store) Refund(ctx context.Context, rule limit.Rule, key string, n int) error {
	if _, err := s.run(ctx, rule, key, -n); err != nil {
		return fmt.Errorf("refund of the limit %q: %w", rule.Name, err)
	}
	return nil
}

func (s *Store) run(ctx context.Context, rule limit.Rule, key string, n int) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// The window is part of the key: slots of another length would be misread.
	keys := []string{prefix + rule.Name + ":" + rule.Window.String() + ":" + key}
	var now any = ""
	if s.now != nil {
		now = s.now().UnixMilli()
	}
	reply, err := script.Run(ctx, s.client, keys, rule.Max, limit.Slots, rule.Slot().Milliseconds(), n, now).Int64Slice()
	if err != nil {
		return nil, err
	}
	if len(reply) != 4 {
		return nil, errors.New("the script gave an unknown reply")
	}
	return reply, nil
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
