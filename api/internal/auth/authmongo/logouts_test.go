package authmongo_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestEndedSessionsAreInTheAccount as long as that can be all of them: nil
// sends whoever asks to the sessions.
func TestEndedSessionsAreInTheAccount(t *testing.T) {
	t.Parallel()
	const life = time.Hour
	db := mongotest.Database(t)
	store, begin := newStore(t, db), time.Now()
	note := func(t *testing.T, user, session string, at time.Duration) {
		t.Helper()
		ended := auth.Session{ID: session, UserID: user, Expires: begin.Add(at + life)}
		if err := store.NoteLogout(t.Context(), ended, begin.Add(at)); err != nil {
			t.Errorf("NoteLogout: %v", err)
		}
	}
	ended := func(t *testing.T, user string) []string {
		t.Helper()
		found, err := store.ByID(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(found.EndedSessions)
		return found.EndedSessions
	}
	want := func(t *testing.T, when, user string, sessions ...string) {
		t.Helper()
		if got := ended(t, user); !slices.Equal(got, sessions) || (got == nil) != (sessions == nil) {
			t.Errorf("%s: ended sessions = %q, want %q", when, got, sessions)
		}
	}

	t.Run("until their tokens have expired", func(t *testing.T) {
		t.Parallel()
		user := create(t, store, "a@example.com").ID
		want(t, "before", user)
		note(t, user, "s1", 0)
		note(t, user, "s2", 0) // in the same moment
		note(t, user, "s2", life/2)
		want(t, "after two", user, "s1", "s2")
		note(t, user, "s3", life+time.Minute)
		want(t, "after the life of the first", user, "s2", "s3")
		if found, err := store.ByID(t.Context(), user); err != nil || found.Profile["endedSessions"] != nil {
			t.Errorf("the profile shows %v (%v)", found.Profile["endedSessions"], err)
		}
	})
	t.Run("not beside a logout of an older release", func(t *testing.T) {
		t.Parallel()
		user := create(t, store, "b@example.com").ID
		note(t, user, "s1", 0)
		id, err := bson.ObjectIDFromHex(user)
		if err == nil {
			_, err = db.Collection(authmongo.UsersCollection).UpdateByID(t.Context(), id, bson.M{"$set": bson.M{"lastLogoutAt": begin.Add(time.Minute)}})
		}
		if err != nil {
			t.Fatal(err)
		}
		want(t, "after it", user)
		note(t, user, "s2", 2*time.Minute)
		want(t, "after one of ours", user)
		note(t, user, "s3", 2*life+3*time.Minute)
		want(t, "when all those tokens have expired", user, "s3")
	})
	t.Run("not more than a few", func(t *testing.T) {
		t.Parallel()
		user := create(t, store, "c@example.com").ID
		for i := range 65 {
			note(t, user, fmt.Sprint(i), time.Duration(i)*time.Second)
		}
		want(t, "after many", user)
	})
	t.Run("all that end at once", func(t *testing.T) {
		t.Parallel()
		user := create(t, store, "d@example.com").ID
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { note(t, user, fmt.Sprint(i), 0) })
		}
		all.Wait()
		want(t, "after eight", user, "0", "1", "2", "3", "4", "5", "6", "7")
	})
	t.Run("of nobody", func(t *testing.T) {
		t.Parallel()
		note(t, bson.NewObjectID().Hex(), "s1", 0)
	})
}
