package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestLoginThrottle guesses, in two replicas that count together.
func TestLoginThrottle(t *testing.T) {
	t.Parallel()
	db, store := mongotest.Database(t), limit.NewMemory(time.Now)
	throttle := auth.WithThrottle(store, slog.New(slog.DiscardHandler))
	replicas := []*apitest.API{
		apitest.Start(t, db, apitest.Options{Auth: []auth.Option{throttle}}),
		apitest.Start(t, db, apitest.Options{Auth: []auth.Option{throttle}}),
	}
	login := func(i int, email, password string) apitest.Reply {
		t.Helper()
		return replicas[i%2].Post(t, "/api/auth/login", "", map[string]any{"email": email, "password": password})
	}
	for _, email := range []string{"an@example.com", "unknown@example.com"} { // both fail alike
		if email == "an@example.com" {
			for range 25 {
				replicas[0].Login(t, email) // what succeeds is not counted
			}
		}
		for i := range 20 {
			if reply := login(i, email, "wrong"); reply.Status != 401 {
				t.Fatalf("%s, guess %d: %d %s", email, i, reply.Status, reply.Text)
			}
		}
		reply := login(1, email, apitest.Password)
		wait, err := strconv.Atoi(reply.Header.Get("Retry-After"))
		if reply.Status != 429 || reply.JSON["error"] != "Too many authentication attempts, please try again later." || err != nil || wait < 600 || wait > 900 {
			t.Errorf("%s: %d %s, Retry-After %q", email, reply.Status, reply.Text, reply.Header.Get("Retry-After"))
		}
		if reply := login(0, "AN@example.com", "wrong"); email == "an@example.com" && reply.Status != 429 {
			t.Errorf("capitals make another account: %d", reply.Status)
		}
	}
	// The address has failed about forty times; it may fail sixty times.
	refused := 0
	for i := range 30 {
		if login(i, fmt.Sprintf("user%d@example.com", i), "wrong").Status == 429 {
			refused++
		}
	}
	if refused == 0 || refused > 15 {
		t.Errorf("%d of 30 other accounts were refused to the address", refused)
	}
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
