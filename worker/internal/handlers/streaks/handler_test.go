package streaks_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/handlers/streaks"
	"github.com/etrainer/backend/worker/internal/handlers/streaks/streaksmongo"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

var (
	zone = time.FixedZone("ICT", 7*60*60)
	// now is a moment after midnight: the time at which the job runs.
	now = time.Date(2025, 8, 5, 0, 1, 0, 0, zone)
)

// ago is noon, a number of days before today.
func ago(days int) time.Time { return time.Date(2025, 8, 5-days, 12, 0, 0, 0, zone) }

type fixture struct {
	*testing.T
	db *mongo.Database
}

func (f fixture) insert(collection string, document bson.D) {
	f.Helper()
	if _, err := f.db.Collection(collection).InsertOne(f.Context(), document); err != nil {
		f.Fatal(err)
	}
}

func (f fixture) user(streak any) bson.ObjectID {
	f.Helper()
	id := bson.NewObjectID()
	document := bson.D{{Key: "_id", Value: id}, {Key: "email", Value: id.Hex()}}
	if streak != nil {
		document = append(document, bson.E{Key: "streak", Value: streak})
	}
	f.insert("users", document)
	return id
}

func (f fixture) finished(collection string, user, at any) {
	f.Helper()
	f.insert(collection, bson.D{{Key: "user", Value: user}, {Key: "endTime", Value: at}})
}

// run counts at an instant.
func (f fixture) run(at time.Time, payload any) streaks.Result {
	f.Helper()
	handler := streaks.New(streaksmongo.New(f.db), zone, func() time.Time { return at })
	return handlertest.Result[streaks.Result](f.T, handlertest.Run(f.T, f.db, handler, payload, time.Time{}))
}

// streak is what a user has; nil = none.
func (f fixture) streak(id bson.ObjectID) bson.M {
	f.Helper()
	raw, err := f.db.Collection("users").FindOne(f.Context(), bson.D{{Key: "_id", Value: id}}).Raw()
	if err != nil {
		f.Fatal(err)
	}
	var user struct {
		Streak bson.M `bson:"streak"`
	}
	if err := bson.Unmarshal(raw, &user); err != nil {
		f.Fatal(err)
	}
	return user.Streak
}

func (f fixture) count(user bson.ObjectID) int {
	f.Helper()
	raw, err := f.db.Collection("users").FindOne(f.Context(), bson.D{{Key: "_id", Value: user}}).Raw()
	if err != nil {
		f.Fatal(err)
	}
	count, ok := raw.Lookup("streak", "count").AsInt64OK()
	if !ok {
		return -1
	}
	return int(count)
}

func journey(user bson.ObjectID) bson.D {
	day := func(at any) bson.D { return bson.D{{Key: "dayNumber", Value: 1}, {Key: "completedAt", Value: at}} }
	return bson.D{{Key: "user", Value: user}, {Key: "completedAt", Value: nil}, {Key: "stages", Value: bson.A{
		bson.D{
			{Key: "days", Value: bson.A{day(ago(1)), day(nil), day("soon")}},
			{Key: "finalTest", Value: bson.D{{Key: "completedAt", Value: ago(2)}}},
			{Key: "completedAt", Value: ago(3)},
		},
		"no stage",
	}}}
}

// TestCounts goes through every source, and through what must not count.
func TestCounts(t *testing.T) {
	t.Parallel()
	f := fixture{t, mongotest.Database(t)}
	mixed, travelled, archived, idle, never, reset, text := f.user(nil), f.user(nil), f.user(nil), f.user(nil), f.user(nil),
		f.user(bson.D{{Key: "count", Value: 5}, {Key: "lastUpdated", Value: ago(9)}, {Key: "emoji", Value: "x"}}), f.user("seven")
	f.finished("examhistories", mixed, ago(1))
	f.finished("examhistories", mixed, ago(1).Add(time.Hour))
	f.finished("practicehistories", mixed, ago(2))
	f.finished("practicehistories", mixed, ago(4))
	f.insert("userjourneys", journey(travelled))
	for day := range 200 {
		f.finished(map[bool]string{true: "examhistories", false: "examhistories_archive"}[day < 100], archived, ago(day+1))
	}
	f.finished("practicehistories", idle, ago(2))
	f.finished("practicehistories", text, now.Add(-30*time.Second)) // today, a moment ago
	for _, at := range []any{nil, "yesterday", 5, now.Add(48 * time.Hour)} {
		f.finished("practicehistories", never, at)
	}
	f.finished("practicehistories", bson.NewObjectID(), ago(1)) // of somebody who is gone
	f.finished("practicehistories", nil, ago(1))
	f.finished("examhistories", "an", ago(1))
	f.insert("users", bson.D{{Key: "_id", Value: "foreign"}})

	got := f.run(now, nil)
	want := streaks.Result{
		UpdatedCount: 6, TotalUsers: 7, ActiveStreaks: 4, LongestStreak: 200, Activities: 209, Day: "2025-08-05", Timezone: "ICT",
		Skipped: map[string]int64{
			streaks.SkippedNobody: 1, streaks.SkippedFuture: 1,
			"practicehistories: endTime is not a date":            3,
			"userjourneys: completedAt is not a date":             1,
			"userjourneys: an element of stages is not an object": 1,
			"practicehistories: user is not an id":                1,
			"examhistories: user is not an id":                    1,
			"users: _id is not an id":                             1,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		user bson.ObjectID
		want int
	}{"exam and practice": {mixed, 2}, "journey": {travelled, 3}, "archived": {archived, 200}, "idle": {idle, 0}, "never": {never, -1}, "reset": {reset, 0}, "text": {text, 1}} {
		if got := f.count(c.user); got != c.want {
			t.Errorf("%s: the streak is %d, want %d", name, got, c.want)
		}
	}
	kept := bson.M{"count": int32(0), "lastUpdated": bson.NewDateTimeFromTime(now), "longest": int32(0), "lastActiveDay": nil, "emoji": "x"}
	if diff := cmp.Diff(kept, f.streak(reset)); diff != "" {
		t.Errorf("the streak that was reset (-want +got):\n%s", diff)
	}
}

// TestTwiceIsOnce: the second run writes nothing, and the next day goes on.
func TestTwiceIsOnce(t *testing.T) {
	t.Parallel()
	f := fixture{t, mongotest.Database(t)}
	user := f.user(nil)
	f.finished("practicehistories", user, ago(1))
	if got := f.run(now, catalog.StreaksPayload{DryRun: true}); got.UpdatedCount != 1 || f.count(user) != -1 {
		t.Errorf("the dry run: %+v, the streak is %v", got, f.streak(user))
	}
	if got := f.run(now, nil); got.UpdatedCount != 1 {
		t.Errorf("the first run: %+v", got)
	}
	before := f.streak(user)
	if got := f.run(now.Add(time.Hour), nil); got.UpdatedCount != 0 {
		t.Errorf("the second run: %+v", got)
	}
	if diff := cmp.Diff(before, f.streak(user)); diff != "" {
		t.Errorf("the second run changed:\n%s", diff)
	}
	f.finished("practicehistories", user, now.Add(time.Hour))
	if f.run(now.AddDate(0, 0, 1), nil); f.count(user) != 2 {
		t.Errorf("on the next day %v", f.streak(user))
	}
	if f.run(now.AddDate(0, 0, 3), nil); f.count(user) != 0 {
		t.Errorf("after a day without anything %v", f.streak(user))
	}
}

// cancelledBetweenPages is cancelled behind its first page.
type cancelledBetweenPages struct {
	streaks.Store
	cancel func(context.Context)
	pages  int
}

func (c *cancelledBetweenPages) Save(ctx context.Context, updates []streaks.Update) (int64, map[string]int64, error) {
	changed, refused, err := c.Store.Save(ctx, updates)
	if c.pages++; c.pages == 1 {
		c.cancel(ctx)
	}
	return changed, refused, err
}

// TestACancelInTheMiddle: the run stops behind its page; the next one changes
// only what that left.
func TestACancelInTheMiddle(t *testing.T) {
	t.Parallel()
	f := fixture{t, mongotest.Database(t)}
	const users = streaks.PageSize + 100
	var people, practices []bson.D
	for i := range users { // one in a hundred learned
		id := bson.NewObjectID()
		people = append(people, bson.D{{Key: "_id", Value: id}, {Key: "email", Value: fmt.Sprint(i)}})
		if i%100 == 0 {
			practices = append(practices, bson.D{{Key: "user", Value: id}, {Key: "endTime", Value: ago(1)}})
		}
	}
	for collection, documents := range map[string][]bson.D{"users": people, "practicehistories": practices} {
		if _, err := f.db.Collection(collection).InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
	store := &cancelledBetweenPages{Store: streaksmongo.New(f.db)}
	run := handlertest.RunCancelled(t, f.db, func(cancel func(context.Context)) runner.Handler {
		store.cancel = cancel
		return streaks.New(store, zone, func() time.Time { return now })
	}, nil, time.Time{})
	if run.Outcome != job.Cancelled || store.pages != 1 {
		t.Errorf("it ended as %s behind page %d: %s", run.Outcome, store.pages, run.Error)
	}
	if got := f.run(now, nil); got.TotalUsers != users || got.UpdatedCount != 1 {
		t.Errorf("the second run: %+v", got)
	}
	if got := f.run(now, nil); got.UpdatedCount != 0 {
		t.Errorf("the third run: %+v", got)
	}
}

// TestCommandsGrowWithPages also counts the users of several pages.
func TestCommandsGrowWithPages(t *testing.T) {
	t.Parallel()
	commands := func(users int) int64 {
		counter := &mongodb.CommandCounter{}
		f := fixture{t, mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))}
		var people, results []any
		for i := range users {
			id := bson.NewObjectID()
			people = append(people, bson.D{{Key: "_id", Value: id}, {Key: "email", Value: fmt.Sprint(i)}})
			results = append(results, bson.D{{Key: "user", Value: id}, {Key: "endTime", Value: ago(1)}})
		}
		for collection, documents := range map[string][]any{"users": people, "practicehistories": results} {
			if _, err := f.db.Collection(collection).InsertMany(t.Context(), documents); err != nil {
				t.Fatal(err)
			}
		}
		store := streaksmongo.New(f.db)
		counter.Reset()
		var after streaks.UserID
		read := 0
		for {
			page, err := store.Users(t.Context(), after)
			if err != nil {
				t.Fatal(err)
			}
			var upTo streaks.UserID
			if len(page) == streaks.PageSize {
				upTo = page[len(page)-1].ID
			}
			if err := store.Activity(t.Context(), after, upTo, func(streaks.UserID, time.Time) { read++ }, func(string) {}); err != nil {
				t.Fatal(err)
			}
			if after = upTo; upTo == (streaks.UserID{}) {
				break
			}
		}
		if read != users {
			t.Errorf("%d results of %d users", read, users)
		}
		return counter.Total()
	}
	small, large := commands(streaks.PageSize+100), commands(3*streaks.PageSize+100)
	if perPage := (large - small) / 2; perPage > 5 {
		t.Errorf("%d commands for two pages, %d for four: %d for each page, want 5", small, large, perPage)
	}
}
