package embedded

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// expiryTick is how late a key of the embedded Redis may expire.
const expiryTick = 20 * time.Millisecond

// Redis is a running miniredis.
type Redis struct {
	addr string
	stop func()
}

// StartRedis returns once the engine accepts connections on the wanted port
// of the loopback interface, or on another if that is taken or 0.
func StartRedis(port int) (*Redis, error) {
	server := miniredis.NewMiniRedis()

	err := server.StartAddr(address(port))
	if err != nil && port != 0 {
		err = server.StartAddr(address(0))
	}

	if err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}

	quit, done := make(chan struct{}), make(chan struct{})

	go func() {
		defer close(done)
		passTime(server, quit)
	}()

	return &Redis{addr: server.Addr(), stop: sync.OnceFunc(func() {
		close(quit)
		<-done
		server.Close()
	})}, nil
}

// passTime moves the clock of the keys' lifetimes, which miniredis leaves to
// its caller.
func passTime(server *miniredis.Miniredis, quit <-chan struct{}) {
	ticker := time.NewTicker(expiryTick)
	defer ticker.Stop()

	last := time.Now()

	for {
		select {
		case <-quit:
			return
		case <-ticker.C:
			now := time.Now()
			server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// Port is the port that clients connect to: the wanted one unless it was taken.
func (r *Redis) Port() int {
	return int(netip.MustParseAddrPort(r.addr).Port())
}

// URL is the connection string, without a password.
func (r *Redis) URL() string { return "redis://" + r.addr }

// Stop closes all connections and waits. It may be called more than once.
func (r *Redis) Stop() { r.stop() }
