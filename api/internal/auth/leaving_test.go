package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// leaver is a client that goes away while the database is told something.
type leaver struct {
	after  atomic.Int64 // so many updates that are still to be sent
	cancel context.CancelFunc
}

func (l *leaver) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "update" && l.after.Add(-1) == 0 {
			l.cancel()
		}
	}}
}

// ask sends a request whose client leaves at the n-th update.
func (l *leaver) ask(t *testing.T, api *apitest.API, n int64, path, token, body string) {
	t.Helper()
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(t.Context())
	defer l.cancel()
	l.after.Store(n)
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	api.Handler.ServeHTTP(httptest.NewRecorder(), request)
	if ctx.Err() == nil {
		t.Fatalf("%s sent fewer than %d updates", path, n)
	}
}

// TestASessionEndsAlsoWhenItsClientLeaves at any of the commands that end it.
func TestASessionEndsAlsoWhenItsClientLeaves(t *testing.T) {
	t.Parallel()
	client, clock := &leaver{}, newHands()
	api := apitest.Start(t, mongotest.Database(t, options.Client().SetMonitor(client.monitor())), apitest.Options{Now: clock.now})
	api.Login(t, "an@example.com")
	for _, n := range []int64{1, 2} {
		login := api.Login(t, "an@example.com")
		token := text(login.JSON["token"])
		client.ask(t, api, n, logoutRoute, token, "")
		wantStatus(t, "access token after a logout", api.Get(t, adminRoute, token), http.StatusUnauthorized)
		wantStatus(t, "refresh token after a logout", refresh(t, api, text(login.JSON["refreshToken"])), http.StatusUnauthorized)
	}
	for _, n := range []int64{1, 2} {
		login := api.Login(t, "an@example.com")
		token, used := text(login.JSON["token"]), text(login.JSON["refreshToken"])
		next := refresh(t, api, used)
		clock.wait(auth.RefreshGrace + time.Millisecond)
		client.ask(t, api, n, refreshRoute, "", `{"refreshToken":"`+used+`"}`)
		wantStatus(t, "access token after a refresh with a used token", api.Get(t, adminRoute, token), http.StatusUnauthorized)
		wantStatus(t, "newest refresh token after that", refresh(t, api, text(next.JSON["refreshToken"])), http.StatusUnauthorized)
	}
}

// forgetful does not note the first logout.
type forgetful struct {
	auth.Users
	failed atomic.Bool
}

func (f *forgetful) NoteLogout(ctx context.Context, session auth.Session, at time.Time) error {
	if f.failed.CompareAndSwap(false, true) {
		return errors.New("not noted")
	}
	return f.Users.NoteLogout(ctx, session, at)
}

// TestAnEndThatWasNotNotedIsNotedLater: by the next use of the refresh token.
func TestAnEndThatWasNotNotedIsNotedLater(t *testing.T) {
	t.Parallel()
	users, clock := &forgetful{}, newHands()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{
		Now:   clock.now,
		Users: func(stored auth.Users) auth.Users { users.Users = stored; return users },
	})
	login := api.Login(t, "an@example.com")
	token, used := text(login.JSON["token"]), text(login.JSON["refreshToken"])
	wantStatus(t, "refresh", refresh(t, api, used), http.StatusOK)
	clock.wait(auth.RefreshGrace + time.Millisecond)
	for range 2 {
		wantStatus(t, "refresh with a used token", refresh(t, api, used), http.StatusUnauthorized)
	}
	wantStatus(t, "access token after that", api.Get(t, adminRoute, token), http.StatusUnauthorized)
}
