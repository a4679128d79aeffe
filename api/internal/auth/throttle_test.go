package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// besieged are two replicas that count together, by a clock that goes on when a
// login waits for its turn.
type besieged struct {
	replicas [2]*apitest.API
	clock    *hands
	waited   atomic.Int64 // nanoseconds
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{clock: newHands()}
	proxies := func(o *server.RouteOptions) { o.TrustedProxies = []string{"127.0.0.1"} }
	db, store := mongotest.Database(t), limit.NewMemory(b.clock.now)
	for i := range b.replicas {
		b.replicas[i] = apitest.Start(t, db, apitest.Options{Now: b.clock.now, Routing: proxies, Auth: []auth.Option{
			auth.WithThrottle(store, slog.New(slog.DiscardHandler)),
			auth.WithTurns(func(pause time.Duration) <-chan time.Time {
				b.waited.Add(int64(pause))
				b.clock.wait(pause)
				passed := make(chan time.Time)
				close(passed)
				return passed
			}),
		}})
	}
	return b
}

// login comes from an address, to one replica or the other.
func (b *besieged) login(t *testing.T, i int, address, email, password string) apitest.Reply {
	t.Helper()
	return b.replicas[i%2].Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/api/auth/login", Body: map[string]any{"email": email, "password": password},
		Header: map[string]string{"X-Forwarded-For": address},
	})
}

// TestManyFailuresSlowAnAccountDown, and shut nobody out: the owner gets in from a
// known address as always, and from a new one after a short wait.
func TestManyFailuresSlowAnAccountDown(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	const owner, home = "an@example.com", "192.0.2.1"
	b.replicas[0].Login(t, owner)
	for range 25 { // what succeeds is not counted
		wantStatus(t, "login at home", b.login(t, 0, home, owner, apitest.Password), http.StatusOK)
	}
	for _, email := range []string{"unknown@example.com", owner} { // both fail alike
		for i := range 22 {
			reply := b.login(t, i, fmt.Sprintf("198.51.100.%d", i), email, "wrong")
			wantStatus(t, fmt.Sprintf("%s, guess %d", email, i), reply, http.StatusUnauthorized)
			if waits := b.waited.Swap(0) > 0; waits != (i == 21) { // the first turn is free
				t.Errorf("%s, guess %d waited: %t", email, i, waits)
			}
		}
	}
	wantStatus(t, "the owner at home", b.login(t, 1, home, owner, apitest.Password), http.StatusOK)
	if waited := b.waited.Swap(0); waited != 0 {
		t.Errorf("the owner at home waited %s", time.Duration(waited))
	}
	wantStatus(t, "the owner at a new address", b.login(t, 1, "192.0.2.77", strings.ToUpper(owner), apitest.Password), http.StatusOK)
	if waited := time.Duration(b.waited.Swap(0)); waited <= 0 || waited > 3*time.Second {
		t.Errorf("the owner at a new address waited %s", waited)
	}
}

// TestFasterGuessesAreRefused when the turns of many minutes are used up.
func TestFasterGuessesAreRefused(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	b.replicas[0].Login(t, "an@example.com")
	begin, guesses, refused := b.clock.now(), 0, apitest.Reply{}
	for i := 0; refused.Status == 0 && i < 200; i++ {
		switch reply := b.login(t, i, fmt.Sprintf("198.51.100.%d", i), "an@example.com", "wrong"); reply.Status {
		case http.StatusUnauthorized:
			guesses++
		case http.StatusTooManyRequests:
			refused = reply
		default:
			t.Fatalf("guess %d: %d %s", i, reply.Status, reply.Text)
		}
	}
	if took := b.clock.now().Sub(begin); guesses < 60 || guesses > 62 || took < time.Minute {
		t.Errorf("%d guesses in %s before one was refused", guesses, took)
	}
	wait, err := strconv.Atoi(refused.Header.Get("Retry-After"))
	if refused.JSON["error"] != "Too many authentication attempts, please try again later." || err != nil || wait < 5 || wait > 20 {
		t.Errorf("%d %s, Retry-After %q", refused.Status, refused.Text, refused.Header.Get("Retry-After"))
	}
	b.clock.wait(time.Duration(wait) * time.Second)
	wantStatus(t, "the owner after that", b.login(t, 0, "192.0.2.1", "an@example.com", apitest.Password), http.StatusOK)
}

// TestOneAddressFailsAtManyAccounts.
func TestOneAddressFailsAtManyAccounts(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	for i := range 60 {
		wantStatus(t, "guess", b.login(t, i, "198.51.100.1", fmt.Sprintf("user%d@example.com", i), "wrong"), http.StatusUnauthorized)
	}
	reply := b.login(t, 0, "198.51.100.1", "another@example.com", "wrong")
	wantStatus(t, "the 61st", reply, http.StatusTooManyRequests)
	if wait, err := strconv.Atoi(reply.Header.Get("Retry-After")); err != nil || wait < 6000 {
		t.Errorf("Retry-After %q", reply.Header.Get("Retry-After"))
	}
	wantStatus(t, "another address", b.login(t, 0, "198.51.100.2", "another@example.com", "wrong"), http.StatusUnauthorized)
}

// cutOff are accounts that do not answer while a test says so.
type cutOff struct {
	auth.Users
	away atomic.Bool
}

func (c *cutOff) ByEmail(ctx context.Context, email string) (auth.User, error) {
	if c.away.Load() {
		return auth.User{}, errs.New(errs.Unavailable, "away")
	}
	return c.Users.ByEmail(ctx, email)
}

// TestAnOutageIsNoGuess: who tried while the database was away is not locked
// out when it is back.
func TestAnOutageIsNoGuess(t *testing.T) {
	t.Parallel()
	users := &cutOff{}
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{
		Users: func(stored auth.Users) auth.Users { users.Users = stored; return users },
		Auth:  []auth.Option{auth.WithThrottle(limit.NewMemory(time.Now), slog.New(slog.DiscardHandler))},
	})
	api.Login(t, "an@example.com")
	users.away.Store(true)
	for range 100 {
		reply := api.Post(t, "/api/auth/login", "", map[string]any{"email": "an@example.com", "password": apitest.Password})
		wantStatus(t, "login while the database is away", reply, http.StatusServiceUnavailable)
	}
	users.away.Store(false)
	api.Login(t, "an@example.com")
}
