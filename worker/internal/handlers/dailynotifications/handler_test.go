package dailynotifications_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/push/pushtest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/handlers/dailynotifications"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/notify"
	"github.com/etrainer/backend/worker/internal/notify/notifytest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

const nine = "2025-08-04T09:00:00+07:00"

type payload = catalog.DailyNotificationsPayload

func run(b *notifytest.Bench, attempt int) (dailynotifications.Result, error) {
	return runIn(b.Context(), b, attempt)
}

func runIn(ctx context.Context, b *notifytest.Bench, attempt int) (dailynotifications.Result, error) {
	job := dailynotifications.Job{People: b.People, Notifier: b.Notifier, Zone: b.Zone, Now: b.Now}
	return job.Run(ctx, notifytest.Job[payload](b, attempt))
}

func mustRun(b *notifytest.Bench) dailynotifications.Result {
	b.Helper()
	result, err := run(b, 1)
	if err != nil {
		b.Fatal(err)
	}
	return result
}

func compare(t *testing.T, got, want dailynotifications.Result) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(notify.Tally{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the result (-want +got):\n%s", diff)
	}
}

// Everything that a database can hold, in one run: bad rows stop nothing, and
// each is counted.
func TestRun(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	ids := b.Insert("users",
		bson.D{{Key: "fcmToken", Value: "fcm-1"}, {Key: "expoPushToken", Value: "ExponentPushToken[1]"}},
		bson.D{{Key: "expoPushToken", Value: "ExponentPushToken[2]"}, {Key: "notificationsEnabled", Value: true}},
		bson.D{{Key: "notificationsEnabled", Value: nil}},
		bson.D{{Key: "fcmToken", Value: "fcm-4"}, {Key: "notificationsEnabled", Value: false}},
		bson.D{{Key: "fcmToken", Value: "fcm-5"}, {Key: "dailyNotifications", Value: false}},
		bson.D{{Key: "fcmToken", Value: "fcm-6"}, {Key: "dailyNotifications", Value: "no"}},
		bson.D{{Key: "fcmToken", Value: 7}},
		bson.D{{Key: "fcmToken", Value: "dead"}},
		bson.D{{Key: "fcmToken", Value: "dead-too"}, {Key: "expoPushToken", Value: "ExponentPushToken[9]"}},
		bson.D{{Key: "expoPushToken", Value: "nonsense"}},
		bson.D{{Key: "expoPushToken", Value: "ExponentPushToken[foreign]"}},
		bson.D{{Key: "_id", Value: "a text"}, {Key: "fcmToken", Value: "fcm-12"}},
	)
	b.FCM.Device("dead", "UNREGISTERED")
	b.FCM.Device("dead-too", "UNREGISTERED")
	b.Expo.Device("ExponentPushToken[foreign]", "OtherProject")
	compare(t, mustRun(b), dailynotifications.Result{
		Tally: notify.Tally{
			SentCount: 3, InAppCount: 8, WithoutDevice: 2, DeadTokensRemoved: 2,
			Failures: map[string]int{"unregistered": 1, "invalid_token": 1, "wrong_sender": 1},
			BadRows:  map[string]int{"unreadable_flag": 1, "unreadable_token": 1, "foreign_id": 1},
		},
		TotalUsers: 8, OptedOut: 3, Day: "2025-08-04", Timezone: "Asia/Ho_Chi_Minh",
	})
	for _, token := range []string{"fcm-1", "ExponentPushToken[2]", "ExponentPushToken[9]"} {
		if n := b.FCM.Count(token) + b.Expo.Count(token); n != 1 {
			t.Errorf("%s got %d messages, want 1", token, n)
		}
	}
	want := pushtest.Delivered{Title: "Daily English Practice", Body: "Time for your daily English lesson! 📚", Data: map[string]string{"type": "daily_reminder"}}
	if diff := cmp.Diff(want, b.FCM.Last("fcm-1")); diff != "" {
		t.Errorf("the message (-want +got):\n%s", diff)
	}
	var user struct {
		FCM  *string `bson:"fcmToken"`
		Expo *string `bson:"expoPushToken"`
	}
	if err := b.DB.Collection("users").FindOne(t.Context(), bson.D{{Key: "_id", Value: ids[8]}}).Decode(&user); err != nil || user.FCM != nil || user.Expo == nil {
		t.Errorf("the user with a dead token has %v and %v, %v", user.FCM, user.Expo, err)
	}
}

// One for each user and local day, however often it is run; the next day has
// its own.
func TestOnceADay(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	b.Users(20)
	mustRun(b)
	b.At("2025-08-04T23:59:00+07:00")
	if got := mustRun(b); got.SentCount != 0 || got.AlreadyDone != 20 || got.TotalUsers != 20 {
		t.Errorf("a second run in the evening: %+v", got)
	}
	b.At("2025-08-05T00:01:00+07:00") // still the 4th in UTC
	if got := mustRun(b); got.SentCount != 20 {
		t.Errorf("a run after midnight: %+v", got)
	}
	if total, most := b.Pushed(); total != 40 || most != 2 {
		t.Errorf("%d messages arrived, at most %d for one token; want 40 and 2", total, most)
	}
}

// A process that dies between the push and its record: the second run
// completes the first, and nobody is told twice.
func TestAKillInTheMiddle(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	b.Users(1100) // three pages
	b.Ledger.KillAt(2)
	b.Killed(func() { _, _ = run(b, 1) })
	b.Restart()
	result, err := run(b, 2)
	if err != nil {
		t.Fatal(err)
	}
	if result.AlreadyDone != 500 || result.Uncertain != 500 || result.SentCount != 100 {
		t.Errorf("the second run: %+v", result)
	}
	if total, most := b.InApp(); total != 1100 || most != 1 {
		t.Errorf("%d notifications in the app, at most %d for one user; want 1100 and 1", total, most)
	}
	if total, most := b.Pushed(); total != 1100 || most != 1 {
		t.Errorf("%d push messages, at most %d for one token; want 1100 and 1", total, most)
	}
}

// A cancelled run stops between exchanges; what it had not sent is given back,
// so the second run reaches everybody exactly once.
func TestACancelInTheMiddle(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	b.Users(600)
	stopping := errors.New("the worker is stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	b.FCM.Fail(pushtest.Fault{Status: 503, Body: "{}", Called: func() { cancel(stopping) }})
	if _, err := runIn(ctx, b, 1); !errors.Is(err, stopping) {
		t.Fatalf("the cancelled run: %v", err)
	}
	before, _ := b.Pushed()
	if before == 600 {
		t.Error("the cancelled run sent everything")
	}
	b.Restart()
	result, err := run(b, 2)
	if err != nil || result.Uncertain != 0 || result.SentCount+before != 600 {
		t.Errorf("%d were sent before; the second run: %+v, %v", before, result, err)
	}
	if total, most := b.Pushed(); total != 600 || most != 1 {
		t.Errorf("%d push messages, at most %d for one token; want 600 and 1", total, most)
	}
	if total, most := b.InApp(); total != 600 || most != 1 {
		t.Errorf("%d notifications in the app, at most %d for one user; want 600 and 1", total, most)
	}
}

// cancelledBetweenPages is cancelled when its second page is asked for.
type cancelledBetweenPages struct {
	dailynotifications.People
	cancel func(context.Context)
	pages  int
}

func (c *cancelledBetweenPages) Page(ctx context.Context, after string, limit int) ([]notify.Person, error) {
	if c.pages++; c.pages == 2 {
		c.cancel(ctx)
	}
	return c.People.Page(context.WithoutCancel(ctx), after, limit)
}

// An operator cancels: whole pages have been told, and the next run tells the
// others.
func TestACancelBetweenPages(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	b.Users(1100) // three pages
	people := &cancelledBetweenPages{People: b.People}
	build := func(cancel func(context.Context)) runner.Handler {
		people.cancel = cancel
		return dailynotifications.Job{People: people, Notifier: b.Notifier, Zone: b.Zone, Now: b.Now}.Handler()
	}
	cancelled := handlertest.RunCancelled(t, b.DB, build, nil, b.Now())
	if total, _ := b.Pushed(); cancelled.Outcome != job.Cancelled || people.pages != 2 || total != 500 {
		t.Errorf("the run ended as %s at page %d, after %d push messages: %s", cancelled.Outcome, people.pages, total, cancelled.Error)
	}
	got := handlertest.Result[dailynotifications.Result](t, handlertest.Run(t, b.DB, build(nil), nil, b.Now()))
	if got.AlreadyDone != 500 || got.SentCount != 600 || got.Uncertain != 0 {
		t.Errorf("the second run: %+v", got)
	}
	if total, most := b.Pushed(); total != 1100 || most != 1 {
		t.Errorf("%d push messages, at most %d for one token; want 1100 and 1", total, most)
	}
	if total, most := b.InApp(); total != 1100 || most != 1 {
		t.Errorf("%d notifications in the app, at most %d for one user; want 1100 and 1", total, most)
	}
}

// A provider that is away costs attempts, not users.
func TestAProviderIsAway(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	b.Users(10)
	for range 100 {
		b.FCM.Fail(pushtest.BadGateway)
	}
	if _, err := run(b, 1); err == nil || !strings.Contains(err.Error(), "the next attempt sends them") {
		t.Errorf("the first attempt: %v", err)
	}
	b.Restart()
	last, err := run(b, catalog.NotificationAttempts)
	if err != nil || last.Failures["unavailable"] != 5 || last.AlreadyDone != 5 {
		t.Errorf("the last attempt: %+v, %v", last, err)
	}
	b.FCM.Mend()
	b.Restart()
	if again := mustRun(b); again.SentCount != 5 || again.AlreadyDone != 5 {
		t.Errorf("a run when it is back: %+v", again)
	}
	if total, most := b.InApp(); total != 10 || most != 1 {
		t.Errorf("%d notifications in the app, at most %d for one user", total, most)
	}
}

// A provider in front of which somebody put a page of HTML: a refusal is tried
// again and sent; what says 200 may have been sent, so it is counted and not
// sent again. Nobody else is kept from being told.
func TestAProviderAnswersHTML(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	for i := range 4 {
		b.Insert("users", bson.D{{Key: "fcmToken", Value: notifytest.Token(i)}})
	}
	b.FCM.Fail(pushtest.BadGateway, pushtest.LoginPage)
	got := mustRun(b)
	compare(t, got, dailynotifications.Result{
		Tally:      notify.Tally{SentCount: 3, InAppCount: 4, Uncertain: 1, Failures: map[string]int{"uncertain": 1}},
		TotalUsers: 4, Day: "2025-08-04", Timezone: "Asia/Ho_Chi_Minh",
	})
	if again := mustRun(b); again.AlreadyDone != 4 || again.SentCount != 0 {
		t.Errorf("the next run: %+v", again)
	}
	if total, most := b.Pushed(); total != 3 || most != 1 {
		t.Errorf("%d push messages, at most %d for one token; want 3 and 1", total, most)
	}
}

// A lost answer may be a message that arrived: it is counted, and not sent
// again.
func TestALostAnswer(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	b.Insert("users", bson.D{{Key: "fcmToken", Value: "warm"}})
	mustRun(b)
	b.Insert("users", bson.D{{Key: "fcmToken", Value: "cut"}})
	b.FCM.Fail(pushtest.Cut)
	if got := mustRun(b); got.Uncertain != 1 || got.Failures["uncertain"] != 1 || got.SentCount != 0 {
		t.Errorf("the run with the cut: %+v", got)
	}
	if got := mustRun(b); got.AlreadyDone != 2 || b.FCM.Count("cut") != 1 {
		t.Errorf("the next run: %+v; %d messages arrived", got, b.FCM.Count("cut"))
	}
}

// A run that comes after its day is over tells nobody.
func TestTheDayIsOver(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, nine)
	b.Users(2)
	j := notifytest.Job[payload](b, 1)
	b.At("2025-08-05T02:00:00+07:00")
	_, err := dailynotifications.Job{People: b.People, Notifier: b.Notifier, Zone: b.Zone, Now: b.Now}.Run(t.Context(), j)
	if err == nil || !strings.Contains(err.Error(), "2025-08-04 is over") {
		t.Errorf("the late run: %v", err)
	}
	if total, _ := b.InApp(); total != 0 {
		t.Errorf("%d users were told", total)
	}
}
