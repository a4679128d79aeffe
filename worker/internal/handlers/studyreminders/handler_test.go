package studyreminders_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	queued "github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/push/pushtest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/handlers/studyreminders"
	"github.com/etrainer/backend/worker/internal/handlers/studyreminders/studyremindersmongo"
	"github.com/etrainer/backend/worker/internal/notify/notifytest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

type payload = catalog.StudyRemindersPayload

func job(b *notifytest.Bench) studyreminders.Job {
	return studyreminders.Job{Store: studyremindersmongo.New(b.DB), People: b.People, Notifier: b.Notifier, Zone: b.Zone, Now: b.Now}
}

// tick runs the job at an instant.
func tick(b *notifytest.Bench, now string) studyreminders.Result {
	b.Helper()
	b.At(now)
	result, err := job(b).Run(b.Context(), notifytest.Job[payload](b, 1))
	if err != nil {
		b.Fatal(err)
	}
	return result
}

// remind inserts a user with a reminder, and returns the FCM token.
func remind(b *notifytest.Bench, hour, minute any, more ...bson.E) string {
	b.Helper()
	token := "of-" + bson.NewObjectID().Hex()
	user := b.Insert("users", append(bson.D{{Key: "fcmToken", Value: token}}, more...))[0]
	b.Insert("reminders", bson.D{{Key: "user", Value: user}, {Key: "hour", Value: hour}, {Key: "minute", Value: minute}})
	return token
}

// Every minute has its tick; each reminder is sent at its own, once a day.
func TestOnTime(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T09:00:00+07:00")
	early, late := remind(b, 9, 7), remind(b, 9.0, int64(8))
	if got := tick(b, "2025-08-04T09:06:00+07:00"); got.Reminders != 0 {
		t.Errorf("09:06: %+v", got)
	}
	if got := tick(b, "2025-08-04T09:07:00+07:00"); got.SentCount != 1 || b.FCM.Count(early) != 1 {
		t.Errorf("09:07: %+v", got)
	}
	if got := tick(b, "2025-08-04T09:07:30+07:00"); got.Reminders != 0 { // somebody starts it by hand
		t.Errorf("09:07:30: %+v", got)
	}
	if got := tick(b, "2025-08-04T09:08:00+07:00"); got.SentCount != 1 || b.FCM.Count(late) != 1 {
		t.Errorf("09:08: %+v", got)
	}
	if got := tick(b, "2025-08-05T09:07:00+07:00"); b.FCM.Count(early) != 2 {
		t.Errorf("09:07 of the next day: %+v", got)
	}
	want := pushtest.Delivered{Title: "⏰ Nhắc học bài!", Body: "Bạn đã đặt lịch học bây giờ đó!", Data: map[string]string{"type": "reminder"}}
	if got := b.FCM.Last(early); got.Title != want.Title || got.Body != want.Body || got.Data["type"] != "reminder" {
		t.Errorf("the message is %+v, want %+v", got, want)
	}
}

// Minutes that passed while no worker ran are made up, up to an hour.
func TestMissedMinutes(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T09:00:00+07:00")
	tick(b, "2025-08-04T09:00:00+07:00")
	tooLate, made := remind(b, 9, 30), remind(b, 10, 10)
	got := tick(b, "2025-08-04T11:00:00+07:00")
	if got.MinutesTooLate != 60 || got.SentCount != 1 || b.FCM.Count(made) != 1 || b.FCM.Count(tooLate) != 0 {
		t.Errorf("two hours later: %+v", got)
	}
	b.At("2025-08-05T11:00:00+07:00")
	late := notifytest.Job[payload](b, 1)
	late.Tick = b.Now().Add(-3 * time.Hour) // the run itself is late
	if got, err := job(b).Run(t.Context(), late); err != nil || got.Reminders != 0 || got.MinutesTooLate != 21*60 {
		t.Errorf("a run that is three hours late: %+v, %v", got, err)
	}
}

// Users have their own clocks.
func TestTimezones(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T09:00:00+07:00")
	here := remind(b, 9, 0)
	berlin := remind(b, 4, 0, bson.E{Key: "timezone", Value: "Europe/Berlin"})
	notHere := remind(b, 9, 0, bson.E{Key: "timezone", Value: "Europe/Berlin"})
	mars := remind(b, 9, 0, bson.E{Key: "timezone", Value: "Mars/Olympus"})
	number := remind(b, 9, 0, bson.E{Key: "timezone", Value: 7})
	got := tick(b, "2025-08-04T09:00:00+07:00")
	for token, want := range map[string]int{here: 1, berlin: 1, notHere: 0, mars: 1, number: 1} {
		if n := b.FCM.Count(token); n != want {
			t.Errorf("a user got %d reminders, want %d: %+v", n, want, got)
		}
	}
	if got.BadRows["unreadable_zone"] != 2 {
		t.Errorf("bad rows are %v; want 2 unreadable zones", got.BadRows)
	}
	if got := tick(b, "2025-08-04T14:00:00+07:00"); b.FCM.Count(notHere) != 1 {
		t.Errorf("09:00 in Berlin: %+v", got)
	}
}

// When summer begins 02:30 does not exist: the reminder comes at 03:00. When
// it ends 02:30 comes twice: the reminder comes once.
func TestSummerTime(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-03-30T01:00:00+01:00")
	b.Zone = b.LoadZone("Europe/Berlin")
	token := remind(b, 2, 30)
	tick(b, "2025-03-30T00:59:00Z")
	tick(b, "2025-03-30T01:00:00Z")
	if n := b.FCM.Count(token); n != 1 {
		t.Errorf("when summer begins, %d reminders came", n)
	}
	tick(b, "2025-10-26T00:30:00Z")
	tick(b, "2025-10-26T01:30:00Z")
	if n := b.FCM.Count(token); n != 2 {
		t.Errorf("when summer ends, %d reminders came", n-1)
	}
}

// Rows that cannot be right stop nothing.
func TestBadRows(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T08:59:00+07:00")
	good := remind(b, 9, 0)
	quiet := remind(b, 9, 0, bson.E{Key: "notificationsEnabled", Value: false})
	remind(b, "9", 0)
	remind(b, 25, 0)
	remind(b, 9, nil)
	b.Insert("reminders",
		bson.D{{Key: "user", Value: bson.NewObjectID()}, {Key: "hour", Value: 9}, {Key: "minute", Value: 0}},
		bson.D{{Key: "user", Value: nil}, {Key: "hour", Value: 9}, {Key: "minute", Value: 0}},
	)
	got := tick(b, "2025-08-04T09:00:00+07:00")
	if got.SentCount != 1 || got.OptedOut != 1 || b.FCM.Count(good) != 1 || b.FCM.Count(quiet) != 0 {
		t.Errorf("%+v", got)
	}
	for kind, want := range map[string]int{"deleted_user": 1, "no_user": 1, "unreadable_time": 3} {
		if got.BadRows[kind] != want {
			t.Errorf("%s: %d, want %d", kind, got.BadRows[kind], want)
		}
	}
}

// A run that dies is made up by the next: nobody is reminded twice, and the
// minute is not lost.
func TestAKill(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T08:59:00+07:00")
	tick(b, "2025-08-04T08:59:00+07:00")
	token := remind(b, 9, 0)
	b.At("2025-08-04T09:00:00+07:00")
	b.Ledger.KillAt(1)
	b.Killed(func() { _, _ = job(b).Run(t.Context(), notifytest.Job[payload](b, 1)) })
	other := remind(b, 9, 1)
	got := tick(b, "2025-08-04T09:01:00+07:00")
	if got.Uncertain != 1 || b.FCM.Count(token) != 1 || b.FCM.Count(other) != 1 {
		t.Errorf("the next minute: %+v", got)
	}
	if total, most := b.InApp(); total != 2 || most != 1 {
		t.Errorf("%d notifications in the app, at most %d for one user", total, most)
	}
}

// A provider that is away keeps the minute open for the next attempt.
func TestAProviderIsAway(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T08:59:00+07:00")
	tick(b, "2025-08-04T08:59:00+07:00")
	token := remind(b, 9, 0)
	b.At("2025-08-04T09:00:00+07:00")
	for range 4 {
		b.FCM.Fail(pushtest.Overloaded)
	}
	if _, err := job(b).Run(t.Context(), notifytest.Job[payload](b, 1)); err == nil || !strings.Contains(err.Error(), "next attempt") {
		t.Fatalf("the first attempt: %v", err)
	}
	if got := tick(b, "2025-08-04T09:00:00+07:00"); got.SentCount != 1 || b.FCM.Count(token) != 1 {
		t.Errorf("the second attempt: %+v", got)
	}
}

// cancelledBetweenPages is cancelled when its second page is asked for.
type cancelledBetweenPages struct {
	studyreminders.Store
	cancel func(context.Context)
	pages  int
}

func (c *cancelledBetweenPages) At(ctx context.Context, wanted []studyreminders.Moment, after string, limit int) ([]studyreminders.Reminder, error) {
	if c.pages++; c.pages == 2 {
		c.cancel(ctx)
	}
	return c.Store.At(context.WithoutCancel(ctx), wanted, after, limit)
}

// An operator cancels: whole pages have been reminded, and the next minute's
// run reminds the others.
func TestACancelBetweenPages(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T08:59:00+07:00")
	tick(b, "2025-08-04T08:59:00+07:00")
	const users = 600 // two pages
	reminders := make([]bson.D, users)
	for i, user := range b.Users(users) {
		reminders[i] = bson.D{{Key: "user", Value: user}, {Key: "hour", Value: 9}, {Key: "minute", Value: 0}}
	}
	b.Insert("reminders", reminders...)
	at := b.At("2025-08-04T09:00:00+07:00")
	store := &cancelledBetweenPages{}
	cancelled := handlertest.RunCancelled(t, b.DB, func(cancel func(context.Context)) runner.Handler {
		reminding := job(b)
		store.Store, store.cancel = reminding.Store, cancel
		reminding.Store = store
		return reminding.Handler()
	}, nil, at)
	if total, _ := b.Pushed(); cancelled.Outcome != queued.Cancelled || store.pages != 2 || total != 500 {
		t.Errorf("the run ended as %s at page %d, after %d push messages: %s", cancelled.Outcome, store.pages, total, cancelled.Error)
	}
	if got := tick(b, "2025-08-04T09:01:00+07:00"); got.AlreadyDone != 500 || got.SentCount != 100 || got.Uncertain != 0 {
		t.Errorf("the next minute: %+v", got)
	}
	if total, most := b.Pushed(); total != users || most != 1 {
		t.Errorf("%d push messages, at most %d for one token; want %d and 1", total, most, users)
	}
	if total, most := b.InApp(); total != users || most != 1 {
		t.Errorf("%d notifications in the app, at most %d for one user; want %d and 1", total, most, users)
	}
}
