package nudgeinactive_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/handlers/nudgeinactive"
	"github.com/etrainer/backend/worker/internal/handlers/nudgeinactive/nudgeinactivemongo"
	"github.com/etrainer/backend/worker/internal/notify"
	"github.com/etrainer/backend/worker/internal/notify/notifytest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

const (
	ten   = "2025-08-04T10:00:00+07:00"
	title = "📚 Đã lâu bạn chưa học!"
)

func run(b *notifytest.Bench) nudgeinactive.Result {
	b.Helper()
	j := nudgeinactive.Job{Store: nudgeinactivemongo.New(b.DB), People: b.People, Notifier: b.Notifier, Zone: b.Zone, Now: b.Now}
	result, err := j.Run(b.Context(), notifytest.Job[catalog.NudgeInactivePayload](b, 1))
	if err != nil {
		b.Fatal(err)
	}
	return result
}

// Who is inactive is decided by exams, practices and the day of registration;
// who was told, by the title of a notification.
func TestRun(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, ten)
	now := b.Now()
	days := func(n float64) time.Time { return now.Add(-time.Duration(n * 24 * float64(time.Hour))) }
	user := func(token string, more ...bson.E) bson.ObjectID {
		return b.Insert("users", append(bson.D{{Key: "fcmToken", Value: token}}, more...))[0]
	}
	did := func(collection string, who bson.ObjectID, when any) {
		b.Insert(collection, bson.D{{Key: "user", Value: who}, {Key: "endTime", Value: when}})
	}
	told := func(who bson.ObjectID, title string, when time.Time) {
		b.Insert("notifications", bson.D{{Key: "user", Value: who}, {Key: "title", Value: title}, {Key: "createdAt", Value: when}})
	}
	away := user("away")
	did("practicehistories", away, days(7.01))
	did("examhistories", away, days(30))
	did("practicehistories", user("practised"), days(6.99))
	did("examhistories", user("examined"), days(7))
	user("never practised", bson.E{Key: "createdAt", Value: days(8)})
	user("never-practised", bson.E{Key: "createdAt", Value: days(8)})
	user("new", bson.E{Key: "createdAt", Value: days(3)})
	did("examhistories", user("foreign-date"), "yesterday")
	did("examhistories", user("null-date"), nil)
	told(user("told"), title, days(6.9))
	told(user("told-long-ago"), title, days(7.1))
	told(user("told-else"), "Daily English Practice", days(1))
	user("quiet", bson.E{Key: "notificationsEnabled", Value: false})

	got := run(b)
	if got.TotalUsers != 12 || got.Inactive != 9 || got.ToldBefore != 1 || got.OptedOut != 1 || got.SentCount != 6 || got.InAppCount != 7 || got.Failures["invalid_token"] != 1 {
		t.Errorf("the result is %+v", got)
	}
	for token, want := range map[string]int{
		"away": 1, "practised": 0, "examined": 0, "never-practised": 1, "new": 0, "foreign-date": 1, "null-date": 1,
		"told": 0, "told-long-ago": 1, "told-else": 1, "quiet": 0,
	} {
		if n := b.FCM.Count(token); n != want {
			t.Errorf("%s got %d messages, want %d", token, n, want)
		}
	}
	if m := b.FCM.Last("away"); m.Title != title || m.Body != "Hãy quay lại luyện tập để không quên kiến thức nhé!" {
		t.Errorf("the message is %+v", m)
	}
}

// Rows that cannot be right stop nothing, and each is counted.
func TestBadRows(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, ten)
	users := b.Insert("users",
		bson.D{{Key: "fcmToken", Value: "good"}},
		bson.D{{Key: "fcmToken", Value: nil}, {Key: "createdAt", Value: nil}},
		bson.D{{Key: "fcmToken", Value: 7}, {Key: "createdAt", Value: "long ago"}},
		bson.D{{Key: "fcmToken", Value: "flag"}, {Key: "notificationsEnabled", Value: "no"}},
		bson.D{{Key: "expoPushToken", Value: "nonsense"}},
		bson.D{{Key: "_id", Value: "a text"}, {Key: "fcmToken", Value: "foreign-id"}},
	)
	b.Insert("practicehistories",
		bson.D{{Key: "user", Value: "nobody"}, {Key: "endTime", Value: b.Now()}},
		bson.D{{Key: "user", Value: users[0]}, {Key: "endTime", Value: int64(1754300000000)}},
	)
	b.Insert("notifications", bson.D{{Key: "user", Value: users[0]}, {Key: "title", Value: title}, {Key: "createdAt", Value: "today"}})
	got := run(b)
	if got.TotalUsers != 5 || got.Inactive != 5 || got.OptedOut != 1 || got.SentCount != 1 || got.InAppCount != 4 || got.WithoutDevice != 2 || got.Failures["invalid_token"] != 1 {
		t.Errorf("the result is %+v", got)
	}
	for kind, want := range map[string]int{"foreign_id": 1, "unreadable_token": 1, "unreadable_flag": 1} {
		if got.BadRows[kind] != want {
			t.Errorf("%s: %d, want %d", kind, got.BadRows[kind], want)
		}
	}
}

// Once in seven days, whatever the schedule.
func TestOnceAWeek(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, ten)
	b.Users(30)
	if got := run(b); got.SentCount != 30 {
		t.Fatalf("the first run: %+v", got)
	}
	for _, later := range []string{"2025-08-04T10:10:00+07:00", "2025-08-05T10:00:00+07:00", "2025-08-11T09:59:00+07:00"} {
		b.At(later)
		if got := run(b); got.SentCount != 0 || got.ToldBefore != 30 {
			t.Errorf("%s: %+v", later, got)
		}
	}
	b.At("2025-08-11T10:00:01+07:00")
	if got := run(b); got.SentCount != 30 {
		t.Errorf("a week later: %+v", got)
	}
}

// A kill in the middle: the second run completes the first.
func TestAKill(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, ten)
	b.Users(600)
	b.Ledger.KillAt(1)
	b.Killed(func() { run(b) })
	b.Restart()
	if got := run(b); got.SentCount != 100 || got.ToldBefore != 500 {
		t.Errorf("the second run: %+v", got)
	}
	if total, most := b.Pushed(); total != 600 || most != 1 {
		t.Errorf("%d push messages, at most %d for one token", total, most)
	}
	if total, most := b.InApp(); total != 600 || most != 1 {
		t.Errorf("%d notifications, at most %d for one user", total, most)
	}
}

// cancelledBetweenPages is cancelled when its second page is asked for.
type cancelledBetweenPages struct {
	nudgeinactive.People
	cancel func(context.Context)
	pages  int
}

func (c *cancelledBetweenPages) Page(ctx context.Context, after string, limit int) ([]notify.Person, error) {
	if c.pages++; c.pages == 2 {
		c.cancel(ctx)
	}
	return c.People.Page(context.WithoutCancel(ctx), after, limit)
}

// An operator cancels: whole pages have been asked back, and the next run asks
// the others.
func TestACancelBetweenPages(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, ten)
	b.Users(1100) // three pages
	people := &cancelledBetweenPages{People: b.People}
	build := func(cancel func(context.Context)) runner.Handler {
		people.cancel = cancel
		return nudgeinactive.Job{Store: nudgeinactivemongo.New(b.DB), People: people, Notifier: b.Notifier, Zone: b.Zone, Now: b.Now}.Handler()
	}
	cancelled := handlertest.RunCancelled(t, b.DB, build, nil, b.Now())
	if total, _ := b.Pushed(); cancelled.Outcome != job.Cancelled || people.pages != 2 || total != 500 {
		t.Errorf("the run ended as %s at page %d, after %d push messages: %s", cancelled.Outcome, people.pages, total, cancelled.Error)
	}
	got := handlertest.Result[nudgeinactive.Result](t, handlertest.Run(t, b.DB, build(nil), nil, b.Now()))
	if got.ToldBefore != 500 || got.SentCount != 600 || got.Uncertain != 0 {
		t.Errorf("the second run: %+v", got)
	}
	if total, most := b.Pushed(); total != 1100 || most != 1 {
		t.Errorf("%d push messages, at most %d for one token; want 1100 and 1", total, most)
	}
}
