package auth_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/cache/rediscache"
	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/redis"
)

// believed is how long what was read of an account is believed, at most.
const believed = 2 * time.Second

// hands is a clock that stands still until it is told to go on.
type hands struct {
	mu sync.Mutex
	at time.Time
}

func newHands() *hands { return &hands{at: time.Now()} }

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hands) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// TestAChangedRoleTakesEffectEverywhere: within two seconds, and not before,
// where the caller had just been looked up.
func TestAChangedRoleTakesEffectEverywhere(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), newHands()
	replicas := []*apitest.API{apitest.Start(t, db, apitest.Options{Now: clock.now}), apitest.Start(t, db, apitest.Options{Now: clock.now})}
	admin := replicas[0].Token(t, "admin@example.com")
	ask := func(when string, want int) {
		t.Helper()
		for _, replica := range replicas {
			wantStatus(t, when, replica.Get(t, adminRoute, admin), want)
		}
	}
	ask("before", http.StatusOK)
	if _, err := db.Collection(authmongo.UsersCollection).UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"role": "USER"}}); err != nil {
		t.Fatal(err)
	}
	clock.wait(believed - time.Millisecond)
	ask("just before two seconds have passed", http.StatusOK)
	clock.wait(time.Millisecond)
	ask("after two seconds", http.StatusForbidden)
}

// TestALogoutIsAnnounced through Redis, while no time passes that would let the
// other replica forget by itself.
func TestALogoutIsAnnounced(t *testing.T) {
	t.Parallel()
	client, err := redis.Env{URL: config.Secret(mongotest.RedisURL(t))}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	db, clock := mongotest.Database(t), newHands()
	shared := rediscache.New(client, "etrainer:cache:"+db.Name()+":", 0)
	a := apitest.Start(t, db, apitest.Options{Now: clock.now, Auth: []auth.Option{auth.WithAnnounce(shared.Announce)}})
	b := apitest.Start(t, db, apitest.Options{Now: clock.now})
	heard := make(chan cache.Notice, 10)
	listener := rediscache.NewListener(shared, func(ctx context.Context, notice cache.Notice) {
		b.Accounts.Forget(ctx, notice)
		heard <- notice
	}, nil)
	if err := listener.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if notice := <-heard; !notice.All {
		t.Fatalf("the subscription began with %+v", notice)
	}
	token := a.Token(t, "an@example.com")
	wantStatus(t, "before, at the other replica", b.Get(t, adminRoute, token), http.StatusOK)
	wantStatus(t, "logout", a.Post(t, logoutRoute, token, nil), http.StatusOK)
	<-heard
	wantStatus(t, "after it, at the other replica", b.Get(t, adminRoute, token), http.StatusUnauthorized)
	wantStatus(t, "after it, where it was", a.Get(t, adminRoute, token), http.StatusUnauthorized)
}
