package authmongo_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func newStore(t *testing.T, db *mongo.Database) *authmongo.Store {
	t.Helper()
	store := authmongo.New(db, time.Now, slog.New(slog.DiscardHandler))
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	return store
}

func create(t *testing.T, store *authmongo.Store, email string) auth.User {
	t.Helper()
	user, err := store.Create(t.Context(), auth.NewUser{Name: "An", Email: email, PasswordHash: "x"})
	if err != nil {
		t.Fatalf("Create %s: %v", email, err)
	}
	return user
}

// claimed stores a claim that another process made.
func claimed(t *testing.T, db *mongo.Database, user bson.ObjectID, at time.Time, settled bool) {
	t.Helper()
	_, err := db.Collection(authmongo.ClaimsCollection).InsertOne(t.Context(), bson.M{
		"_id": "firstAdmin", "userId": user, "claimedAt": at, "settled": settled,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFirstAccountIsAdministrator(t *testing.T) {
	t.Parallel()
	t.Run("and no other", func(t *testing.T) {
		t.Parallel()
		store := newStore(t, mongotest.Database(t))
		if user := create(t, store, "a@example.com"); !user.Admin() {
			t.Errorf("first role = %s", user.Role)
		}
		if user := create(t, store, "b@example.com"); user.Admin() {
			t.Errorf("second role = %s", user.Role)
		}
		if _, err := store.Create(t.Context(), auth.NewUser{Email: "a@example.com"}); !errors.Is(err, auth.ErrTaken) {
			t.Errorf("Create of a taken address = %v, want ErrTaken", err)
		}
	})
	t.Run("again when all accounts were removed", func(t *testing.T) {
		t.Parallel()
		db := mongotest.Database(t)
		store := newStore(t, db)
		create(t, store, "a@example.com")
		if _, err := db.Collection(authmongo.UsersCollection).DeleteMany(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
		if user := create(t, store, "b@example.com"); !user.Admin() {
			t.Errorf("first role in the emptied collection = %s", user.Role)
		}
		if user := create(t, store, "c@example.com"); user.Admin() {
			t.Errorf("second role = %s", user.Role)
		}
	})
	t.Run("after a claim whose process died", func(t *testing.T) {
		t.Parallel()
		db := mongotest.Database(t)
		store := newStore(t, db)
		claimed(t, db, bson.NewObjectID(), time.Now().Add(-10*auth.CreateTimeout), false)
		var all sync.WaitGroup
		admins := make(chan bool, 8)
		for i := range cap(admins) {
			all.Go(func() { admins <- create(t, store, string(rune('a'+i))+"@example.com").Admin() })
		}
		all.Wait()
		close(admins)
		n := 0
		for admin := range admins {
			if admin {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d administrators, want 1", n)
		}
	})
	t.Run("not while another claim stands", func(t *testing.T) {
		t.Parallel()
		db := mongotest.Database(t)
		store := newStore(t, db)
		claimed(t, db, bson.NewObjectID(), time.Now(), false)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := store.Create(ctx, auth.NewUser{Email: "a@example.com"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Create beside an unsettled claim = %v, want it to wait", err)
		}
		if n, err := db.Collection(authmongo.UsersCollection).CountDocuments(t.Context(), bson.D{}); n != 0 || err != nil {
			t.Errorf("accounts = %d, %v, want none", n, err)
		}
	})
	t.Run("not after a claim that was never settled", func(t *testing.T) {
		t.Parallel()
		db := mongotest.Database(t)
		store := newStore(t, db)
		first := create(t, store, "a@example.com")
		claims := db.Collection(authmongo.ClaimsCollection)
		if _, err := claims.UpdateByID(t.Context(), "firstAdmin", bson.M{"$set": bson.M{"settled": false}}); err != nil {
			t.Fatal(err)
		}
		if user := create(t, store, "b@example.com"); user.Admin() {
			t.Errorf("second role = %s", user.Role)
		}
		var claim struct {
			UserID  bson.ObjectID `bson:"userId"`
			Settled bool
		}
		if err := claims.FindOne(t.Context(), bson.D{}).Decode(&claim); err != nil || !claim.Settled || claim.UserID.Hex() != first.ID {
			t.Errorf("claim = %+v, %v, want it settled for the first account", claim, err)
		}
	})
}

func TestSessions(t *testing.T) {
	t.Parallel()
	store := newStore(t, mongotest.Database(t))
	begin := time.Now().UTC().Truncate(time.Millisecond)
	open := func(t *testing.T, id string) auth.Session {
		session := auth.Session{ID: id, UserID: "u", Refresh: "r0", Expires: time.Now().Add(time.Hour)}
		if err := store.Open(t.Context(), session); err != nil {
			t.Fatalf("Open: %v", err)
		}
		return session
	}
	with := func(session auth.Session, refresh string, after time.Duration) auth.Session {
		session.Refresh, session.Issued = refresh, begin.Add(after)
		return session
	}
	ended := func(t *testing.T, id string, want bool) {
		t.Helper()
		if got, err := store.Ended(t.Context(), id); err != nil || got != want {
			t.Errorf("Ended(%s) = %v, %v, want %v", id, got, err, want)
		}
	}

	t.Run("rotation", func(t *testing.T) {
		t.Parallel()
		session := open(t, "rotated")
		const grace = auth.RefreshGrace
		for _, step := range []struct {
			used, next string
			after      time.Duration
			refresh    string        // that of the answer
			issued     time.Duration // and when it was issued
			want       error
		}{
			{"r0", "r1", 0, "r1", 0, nil},
			{"r0", "rx", time.Second, "r1", 0, nil},
			{"r1", "r2", 2 * time.Second, "r2", 2 * time.Second, nil},
			{"r0", "rx", 3 * time.Second, "r1", 0, nil},
			{"r0", "rx", grace, "r1", 0, nil},
			{"r1", "rx", grace + 2*time.Second, "r2", 2 * time.Second, nil},
			{"r2", "r3", grace + 2*time.Second, "r3", grace + 2*time.Second, nil},
			{"r1", "rx", grace + 3*time.Second, "", 0, auth.ErrReused},
			{"r3", "r4", grace + 3*time.Second, "", 0, auth.ErrNoSession},
		} {
			got, err := store.Rotate(t.Context(), step.used, with(session, step.next, step.after))
			if !errors.Is(err, step.want) || got.Refresh != step.refresh || err == nil && !got.Issued.Equal(begin.Add(step.issued)) {
				t.Errorf("Rotate %s after %s = %+v, %v, want %+v", step.used, step.after, got, err, step)
			}
			ended(t, session.ID, step.want != nil)
		}
	})
	t.Run("one of many replaces, and all get the same", func(t *testing.T) {
		t.Parallel()
		session := open(t, "raced")
		var all sync.WaitGroup
		got := make(chan string, 10)
		for i := range cap(got) {
			all.Go(func() {
				next, err := store.Rotate(t.Context(), "r0", with(session, "n"+string(rune('0'+i)), 0))
				if err != nil {
					t.Errorf("Rotate: %v", err)
				}
				got <- next.Refresh
			})
		}
		all.Wait()
		close(got)
		first := <-got
		for other := range got {
			if other != first || first == "" {
				t.Errorf("successors %q and %q, want one", first, other)
			}
		}
		ended(t, session.ID, false)
	})
	t.Run("one of many late ones ends it", func(t *testing.T) {
		t.Parallel()
		session := open(t, "late")
		if _, err := store.Rotate(t.Context(), "r0", with(session, "r1", 0)); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 10)
		var all sync.WaitGroup
		for range cap(results) {
			all.Go(func() {
				_, err := store.Rotate(t.Context(), "r0", with(session, "rx", auth.RefreshGrace+time.Millisecond))
				results <- err
			})
		}
		all.Wait()
		close(results)
		succeeded, reused := 0, 0
		for err := range results {
			switch {
			case err == nil:
				succeeded++
			case errors.Is(err, auth.ErrReused):
				reused++
			case !errors.Is(err, auth.ErrNoSession):
				t.Errorf("Rotate: %v", err)
			}
		}
		if succeeded != 0 || reused != 1 {
			t.Errorf("%d succeeded and %d ended the session, want none and one", succeeded, reused)
		}
		ended(t, session.ID, true)
	})
	t.Run("end", func(t *testing.T) {
		t.Parallel()
		session := open(t, "ended")
		ended(t, session.ID, false)
		for range 2 {
			if err := store.End(t.Context(), session); err != nil {
				t.Fatalf("End: %v", err)
			}
			ended(t, session.ID, true)
		}
		if _, err := store.Rotate(t.Context(), "r0", with(session, "r1", 0)); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("Rotate after End = %v, want ErrNoSession", err)
		}
	})
	t.Run("never opened", func(t *testing.T) {
		t.Parallel()
		ended(t, "unknown", false)
		if _, err := store.Rotate(t.Context(), "r0", auth.Session{ID: "unknown"}); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("Rotate of no session = %v, want ErrNoSession", err)
		}
		if err := store.End(t.Context(), auth.Session{ID: "token:1", UserID: "u", Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatalf("End: %v", err)
		}
		ended(t, "token:1", true)
	})
}

func TestPrepareRemovesExpiredSessions(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store := newStore(t, db)
	for id, expires := range map[string]time.Duration{"past": -time.Minute, "future": time.Minute} {
		if err := store.Open(t.Context(), auth.Session{ID: id, Expires: time.Now().Add(expires)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatalf("second Prepare: %v", err)
	}
	var left []struct {
		ID string `bson:"_id"`
	}
	cursor, err := db.Collection(authmongo.TokensCollection).Find(t.Context(), bson.D{})
	if err == nil {
		err = cursor.All(t.Context(), &left)
	}
	if err != nil || len(left) != 1 || left[0].ID != "future" {
		t.Errorf("sessions left = %v, %v, want that of the future", left, err)
	}
}

func TestUsersOfNobody(t *testing.T) {
	t.Parallel()
	store := newStore(t, mongotest.Database(t))
	for _, id := range []string{"", "x", bson.NewObjectID().Hex()} {
		if _, err := store.ByID(t.Context(), id); !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("ByID(%q) = %v, want ErrNoUser", id, err)
		}
	}
	if _, err := store.ByEmail(t.Context(), "nobody@example.com"); !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("ByEmail = %v, want ErrNoUser", err)
	}
}
