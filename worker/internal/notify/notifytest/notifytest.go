// Package notifytest is test support for the jobs that notify: a database of
// ETrainer's shape, stand-ins for Firebase and Expo, and a clock.
package notifytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/ledger"
	"github.com/etrainer/backend/pkg/ledger/mongoledger"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/expo"
	"github.com/etrainer/backend/pkg/push/fcm"
	"github.com/etrainer/backend/pkg/push/pushtest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/worker/internal/notify"
	"github.com/etrainer/backend/worker/internal/notify/notifymongo"
)

// Bench is everything that a job which notifies needs.
type Bench struct {
	testing.TB
	DB       *mongo.Database
	FCM      *pushtest.FCMServer
	Expo     *pushtest.ExpoServer
	Reader   push.ReceiptReader
	People   *notifymongo.People
	Store    *notifymongo.Store
	Ledger   *Ledger
	Notifier *notify.Notifier
	Zone     *time.Location

	mu  sync.Mutex
	now time.Time
}

// New returns a Bench at an instant, written as 2025-08-04T09:00:00+07:00.
func New(t testing.TB, now string) *Bench {
	t.Helper()
	b := &Bench{TB: t, DB: mongotest.Database(t), FCM: pushtest.NewFCM(t), Expo: pushtest.NewExpo(t)}
	b.Zone = b.LoadZone("Asia/Ho_Chi_Minh")
	b.At(now)
	b.People, b.Store = notifymongo.NewPeople(b.DB), notifymongo.New(b.DB, b.Now)
	b.Ledger = &Ledger{Ledger: mongoledger.New(b.DB, b.Now)}
	b.Restart()
	return b
}

// Restart makes senders anew, as a new process does. Their pauses are short.
func (b *Bench) Restart() {
	options := push.SenderOptions{Pause: time.Millisecond, BreakFor: time.Hour}
	e := expo.New(expo.Options{Env: expo.Env{BaseURL: b.Expo.URL()}, Transport: b.Expo.Transport()})
	f := fcm.New(fcm.Options{Account: fcm.Account{
		ProjectID: pushtest.ProjectID, ClientEmail: pushtest.ClientEmail, PrivateKey: config.Secret(pushtest.PrivateKey()), TokenURL: b.FCM.TokenURL(),
	}, BaseURL: b.FCM.URL(), Transport: b.FCM.Transport()})
	b.Reader = e
	b.Notifier = notify.New(b.Ledger, push.NewCourier(push.NewSender(f, options), push.NewSender(e, options)), b.Store)
}

// Now returns the time.
func (b *Bench) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// At sets the time.
func (b *Bench) At(now string) time.Time {
	b.Helper()
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = at
	return at
}

// LoadZone loads a time zone.
func (b *Bench) LoadZone(name string) *time.Location {
	b.Helper()
	zone, err := schedule.ParseZone(name)
	if err != nil {
		b.Fatal(err)
	}
	return zone
}

// Insert inserts documents; those without an _id get one. It returns the ids.
func (b *Bench) Insert(collection string, documents ...bson.D) []bson.ObjectID {
	b.Helper()
	ids := make([]bson.ObjectID, len(documents))
	for i, d := range documents {
		if len(d) == 0 || d[0].Key != "_id" {
			ids[i] = bson.NewObjectIDFromTimestamp(b.Now().Add(-365 * 24 * time.Hour))
			documents[i] = append(bson.D{{Key: "_id", Value: ids[i]}}, d...)
		}
	}
	if _, err := b.DB.Collection(collection).InsertMany(b.Context(), documents); err != nil {
		b.Fatal(err)
	}
	return ids
}

// Token is the FCM token of the n-th of Users.
func Token(n int) string { return fmt.Sprintf("fcm-token-%d", n) }

// ExpoToken is the Expo token of the n-th of Users.
func ExpoToken(n int) string { return fmt.Sprintf("ExponentPushToken[%d]", n) }

// Users inserts n users: one half with an FCM token, the other with Expo's.
func (b *Bench) Users(n int) []bson.ObjectID {
	b.Helper()
	documents := make([]bson.D, n)
	for i := range documents {
		documents[i] = bson.D{{Key: "fcmToken", Value: Token(i)}, {Key: "expoPushToken", Value: nil}}
		if i%2 == 1 {
			documents[i] = bson.D{{Key: "fcmToken", Value: nil}, {Key: "expoPushToken", Value: ExpoToken(i)}}
		}
	}
	return b.Insert("users", documents...)
}

// InApp returns how many notifications there are, and the most that one user
// has.
func (b *Bench) InApp() (total, most int) {
	b.Helper()
	cursor, err := b.DB.Collection("notifications").Find(b.Context(), bson.D{})
	if err != nil {
		b.Fatal(err)
	}
	var rows []struct {
		User bson.ObjectID `bson:"user"`
	}
	if err := cursor.All(b.Context(), &rows); err != nil {
		b.Fatal(err)
	}
	count := map[bson.ObjectID]int{}
	for _, row := range rows {
		count[row.User]++
		most = max(most, count[row.User])
	}
	return len(rows), most
}

// Pushed returns how many push messages arrived, and the most for one token.
func (b *Bench) Pushed() (total, most int) {
	return b.FCM.Total() + b.Expo.Total(), max(b.FCM.Most(), b.Expo.Most())
}

// Job is a run of a job.
func Job[P any](b *Bench, attempt int) runner.Job[P] {
	return runner.Job[P]{ID: bson.NewObjectID(), Tick: b.Now(), Attempt: attempt}
}

// ErrKilled is what a killed ledger answers.
var ErrKilled = errors.New("the process was killed")

// Ledger is a ledger whose process can be killed before it settles.
type Ledger struct {
	ledger.Ledger
	mu   sync.Mutex
	left int // batches until the kill; 0 = never
}

// KillAt kills the process when it settles its n-th batch.
func (l *Ledger) KillAt(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = n
}

// Settle implements ledger.Ledger.
func (l *Ledger) Settle(ctx context.Context, holder string, settlements []ledger.Settlement) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left > 0 {
		if l.left--; l.left == 0 {
			panic(ErrKilled)
		}
	}
	return l.Ledger.Settle(ctx, holder, settlements)
}

// Killed runs a function that is killed on its way.
func (b *Bench) Killed(run func()) {
	b.Helper()
	defer func() {
		if p := recover(); p != ErrKilled { //nolint:errorlint // the very value
			b.Errorf("the run ended with %v; it was to be killed", p)
		}
	}()
	run()
}
