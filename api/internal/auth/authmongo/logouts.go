package authmongo

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/auth"
)

// The two fields that we add to the accounts, so that one look at an account
// tells who asks. mongoose keeps what it does not know.
const (
	lastLogoutAt  = "lastLogoutAt"
	endedSessions = "endedSessions"
)

// maxEnded bounds what an account keeps. Where more sessions end while their
// tokens live, each has to be looked at.
const maxEnded = 64

// ended is the field endedSessions: the sessions that ended before their time
// and may have tokens that live.
type ended struct {
	// AsOf is lastLogoutAt where these are all. An older release sets that
	// alone.
	AsOf     time.Time      `bson:"asOf"`
	Sessions []endedSession `bson:"sessions"`
}

type endedSession struct {
	ID    string    `bson:"id"`
	Until time.Time `bson:"until"` // its tokens have expired then
}

// decodeEnded takes what it cannot read for nothing.
func decodeEnded(value bson.RawValue) ended {
	var e ended
	if err := value.Unmarshal(&e); err != nil {
		return ended{}
	}
	return e
}

// ids names the sessions; nil = not all are known.
func (e ended) ids(lastLogout time.Time) []string {
	if lastLogout.IsZero() || !e.AsOf.Equal(lastLogout) {
		return nil
	}
	ids := make([]string, len(e.Sessions))
	for i, session := range e.Sessions {
		ids[i] = session.ID
	}
	return ids
}

// NoteLogout implements auth.Users. An account that is gone has no sessions.
func (s *Store) NoteLogout(ctx context.Context, session auth.Session, at time.Time) error {
	id, err := bson.ObjectIDFromHex(session.UserID)
	if err != nil {
		return auth.ErrNoUser
	}
	for {
		raw, err := s.users.FindOne(ctx, byID(id), options.FindOne().SetProjection(bson.D{{Key: lastLogoutAt, Value: 1}, {Key: endedSessions, Value: 1}})).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil
		}
		if err != nil {
			return wrap(err, "look for a logout")
		}
		// Only who saw the last logout may add one: nobody's is lost.
		filter, change := byID(id), noteIn(raw, session, at)
		filter = append(filter, bson.E{Key: lastLogoutAt, Value: valueOrNull(raw, lastLogoutAt)})
		result, err := s.users.UpdateOne(ctx, filter, set(change...))
		if err != nil || result.MatchedCount == 1 {
			return wrap(err, "note a logout")
		}
	}
}

// noteIn is what the end of a session changes in an account.
func noteIn(account bson.Raw, session auth.Session, at time.Time) bson.D {
	last, _ := account.Lookup(lastLogoutAt).TimeOK()
	at = at.Truncate(time.Millisecond) // as it is stored
	life := session.Expires.Sub(at)
	if !at.After(last) {
		at = last.Add(time.Millisecond) // each has its own
	}
	noted := bson.D{{Key: lastLogoutAt, Value: at}}
	before := decodeEnded(account.Lookup(endedSessions))
	switch {
	case last.Before(at.Add(-life)): // of that one and all before it no token lives
		before.Sessions = nil
	case before.ids(last) == nil:
		return noted
	}
	all := slices.DeleteFunc(before.Sessions, func(e endedSession) bool { return e.ID == session.ID || !e.Until.After(at) })
	if len(all) >= maxEnded {
		return noted
	}
	return append(noted, bson.E{Key: endedSessions, Value: ended{AsOf: at, Sessions: append(all, endedSession{session.ID, session.Expires})}})
}

// valueOrNull is what a filter compares a field with; null is also absent.
func valueOrNull(document bson.Raw, path ...string) any {
	if value, err := document.LookupErr(path...); err == nil {
		return value
	}
	return nil
}
