package examcleanup_test

import (
	"context"
	"errors"
	"strings"
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
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup/examcleanupmongo"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

var (
	zone = time.FixedZone("ICT", 7*60*60)
	// planned is a day on which six months ago needs clamping; results are old
	// before cutoff.
	planned = time.Date(2025, 8, 31, 2, 0, 0, 0, zone)
	cutoff  = time.Date(2025, 2, 28, 2, 0, 0, 0, zone)
	old     = cutoff.Add(-time.Hour)
)

func handler(store examcleanup.Store, months int) runner.Handler {
	return examcleanup.New(examcleanup.Options{Store: store, RetentionMonths: months, Zone: zone, Now: time.Now})
}

func insert(t *testing.T, db *mongo.Database, documents ...bson.D) {
	t.Helper()
	if _, err := db.Collection("examhistories").InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
}

// ids lists what a collection holds.
func ids(t *testing.T, db *mongo.Database, collection string) []string {
	t.Helper()
	cursor, err := db.Collection(collection).Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	found := []struct {
		ID string `bson:"_id"`
	}{}
	if err := cursor.All(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, d := range found {
		out = append(out, d.ID)
	}
	return out
}

func result(id string, created, ended any, more ...bson.E) bson.D {
	return append(bson.D{{Key: "_id", Value: id}, {Key: "createdAt", Value: created}, {Key: "endTime", Value: ended}}, more...)
}

func important(value any) bson.E { return bson.E{Key: "isImportant", Value: value} }

func mixed() []bson.D {
	return []bson.D{
		result("a old", old, old),
		result("b old, endTime null", old, nil),
		result("c old, endTime text", old, "2020-01-01"),
		result("d old, not important", old, old, important(false)),
		result("e old, importance null", old, old, important(nil)),
		result("k important", old, old, important(true)),
		result("l important, as text", old, old, important("yes")),
		result("m ended later", old, cutoff.Add(time.Hour)),
		result("n at the cutoff", cutoff, old),
		result("o synchronised late", cutoff.Add(24*time.Hour), old),
		result("p no date", nil, old),
		result("q date as text", "2020-01-01", old),
		{{Key: "_id", Value: "r nothing"}},
	}
}

func TestMovesWhatIsOld(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	insert(t, db, mixed()...)
	got := handlertest.Result[examcleanup.Result](t, handlertest.Run(t, db, handler(examcleanupmongo.New(db), 6), nil, planned))
	want := examcleanup.Result{
		DeletedCount: 5, ArchivedCount: 5, OldCount: 5, RetentionMonths: 6, Cutoff: cutoff.UTC(),
		Kept:    map[string]int64{examcleanup.KeptImportant: 2, examcleanup.KeptEndedLater: 1},
		Skipped: map[string]int64{examcleanup.SkippedCreatedAt: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	moved := []string{"a old", "b old, endTime null", "c old, endTime text", "d old, not important", "e old, importance null"}
	if diff := cmp.Diff(moved, ids(t, db, "examhistories_archive")); diff != "" {
		t.Errorf("archive:\n%s", diff)
	}
	if left := ids(t, db, "examhistories"); len(left) != 8 || left[0] != "k important" {
		t.Errorf("left are %q", left)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	insert(t, db, mixed()...)
	got := handlertest.Result[examcleanup.Result](t, handlertest.Run(t, db, handler(examcleanupmongo.New(db), 6), catalog.ExamCleanupPayload{DryRun: true}, planned))
	if got.OldCount != 5 || got.DeletedCount != 0 || got.ArchivedCount != 0 || !got.DryRun {
		t.Errorf("the result is %+v", got)
	}
	if left, archived := ids(t, db, "examhistories"), ids(t, db, "examhistories_archive"); len(left) != 13 || len(archived) != 0 {
		t.Errorf("%d left, %d archived", len(left), len(archived))
	}
}

// A document in the archive is the one that was removed, with archivedAt.
func TestArchiveKeepsEveryField(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	document := result("a", old, old, bson.E{Key: "unknown", Value: bson.D{{Key: "x", Value: int64(1) << 40}}}, bson.E{Key: "sections", Value: bson.A{"s"}})
	insert(t, db, document)
	before, err := db.Collection("examhistories").FindOne(t.Context(), bson.D{}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	handlertest.Result[examcleanup.Result](t, handlertest.Run(t, db, handler(examcleanupmongo.New(db), 6), nil, planned))
	after, err := db.Collection("examhistories_archive").FindOne(t.Context(), bson.D{}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if _, isDate := after.Lookup("archivedAt").TimeOK(); !isDate {
		t.Errorf("archivedAt is %s", after.Lookup("archivedAt"))
	}
	elements, err := before.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for _, element := range elements {
		if !after.Lookup(element.Key()).Equal(element.Value()) {
			t.Errorf("%s was %s and is %s", element.Key(), element.Value(), after.Lookup(element.Key()))
		}
	}
}

// crashing loses its connection after a number of pages.
type crashing struct {
	examcleanup.Store
	pages int
}

var errAway = errors.New("the database is away")

func (c *crashing) Move(ctx context.Context, documents []examcleanup.Document, before, at time.Time) (examcleanup.Moved, error) {
	if c.pages == 0 {
		return examcleanup.Moved{}, errAway
	}
	c.pages--
	return c.Store.Move(ctx, documents, before, at)
}

func many(n int) []bson.D {
	documents := make([]bson.D, n)
	for i := range documents {
		documents[i] = bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "createdAt", Value: old.Add(-time.Duration(i) * time.Second)}, {Key: "endTime", Value: old}}
	}
	return documents
}

func count(t *testing.T, db *mongo.Database, collection string) int64 {
	t.Helper()
	n, err := db.Collection(collection).CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestGoesOnAfterACrash: a failure in the middle loses nothing, and the next
// attempt, which the queue makes by itself, moves the rest.
func TestGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	insert(t, db, many(1200)...)
	store := &crashing{Store: examcleanupmongo.New(db), pages: 1}
	run := handlertest.Run(t, db, handler(store, 6), nil, planned)
	if run.Outcome != job.Retrying || !strings.Contains(run.Error, errAway.Error()) {
		t.Fatalf("the run ended as %s: %s", run.Outcome, run.Error)
	}
	if left, archived := count(t, db, "examhistories"), count(t, db, "examhistories_archive"); left != 700 || archived != 500 {
		t.Fatalf("%d left and %d archived after the first page", left, archived)
	}
	got := handlertest.Result[examcleanup.Result](t, handlertest.Run(t, db, handler(examcleanupmongo.New(db), 6), nil, planned))
	if left, archived := count(t, db, "examhistories"), count(t, db, "examhistories_archive"); left != 0 || archived != 1200 || got.DeletedCount < 200 {
		t.Errorf("%d left and %d archived, %+v", left, archived, got)
	}
}

// cancelledBetweenPages is cancelled behind its first page.
type cancelledBetweenPages struct {
	examcleanup.Store
	cancel func(context.Context)
	pages  int
}

func (c *cancelledBetweenPages) Move(ctx context.Context, documents []examcleanup.Document, before, at time.Time) (examcleanup.Moved, error) {
	moved, err := c.Store.Move(ctx, documents, before, at)
	if c.pages++; c.pages == 1 {
		c.cancel(ctx)
	}
	return moved, err
}

// TestACancelInTheMiddle: the run stops behind its page, and the next one
// moves the rest.
func TestACancelInTheMiddle(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	insert(t, db, many(1200)...)
	store := &cancelledBetweenPages{Store: examcleanupmongo.New(db)}
	run := handlertest.RunCancelled(t, db, func(cancel func(context.Context)) runner.Handler {
		store.cancel = cancel
		return handler(store, 6)
	}, nil, planned)
	if left, archived := count(t, db, "examhistories"), count(t, db, "examhistories_archive"); run.Outcome != job.Cancelled || left != 700 || archived != 500 {
		t.Errorf("the run ended as %s: %s; %d left and %d archived", run.Outcome, run.Error, left, archived)
	}
	got := handlertest.Result[examcleanup.Result](t, handlertest.Run(t, db, handler(examcleanupmongo.New(db), 6), nil, planned))
	if left, archived := count(t, db, "examhistories"), count(t, db, "examhistories_archive"); left != 0 || archived != 1200 || got.DeletedCount != 700 {
		t.Errorf("%d left and %d archived, %+v", left, archived, got)
	}
}

// TestMovingTwiceIsSafe: a page that was archived and not removed is archived
// over itself.
func TestMovingTwiceIsSafe(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	insert(t, db, many(3)...)
	store := examcleanupmongo.New(db)
	var page []examcleanup.Document
	err := store.Old(t.Context(), cutoff, func(_ context.Context, p examcleanup.Page) error { page = p.Old; return nil })
	if err != nil || len(page) != 3 {
		t.Fatalf("%d documents, %v", len(page), err)
	}
	for i, deleted := range []int64{3, 0} {
		moved, err := store.Move(t.Context(), page, cutoff, planned)
		if err != nil || moved.Archived != 3 || moved.Deleted != deleted {
			t.Errorf("call %d: %+v, %v", i, moved, err)
		}
	}
	if n := count(t, db, "examhistories_archive"); n != 3 {
		t.Errorf("%d in the archive", n)
	}
}

// TestRefusesAShortRetention: by configuration and by payload, for good.
func TestRefusesAShortRetention(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		months  int
		payload any
		want    string
	}{
		"configured": {2, nil, "EXAM_HISTORY_RETENTION_MONTHS to 3 or more"},
		"asked for":  {6, bson.M{"retentionMonths": 1}, "retentionMonths 1 is too short"},
		"negative":   {6, bson.M{"retentionMonths": -6}, "retentionMonths -6 is too short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := mongotest.Database(t)
			insert(t, db, many(1)...)
			run := handlertest.Run(t, db, handler(examcleanupmongo.New(db), c.months), c.payload, planned)
			if run.Outcome != job.Dead || !strings.Contains(run.Error, c.want) {
				t.Errorf("the run ended as %s: %s", run.Outcome, run.Error)
			}
			if n := count(t, db, "examhistories"); n != 1 {
				t.Errorf("%d left", n)
			}
		})
	}
}

// TestCommandsGrowWithPages: twice the documents, twice the pages, three
// commands for each.
func TestCommandsGrowWithPages(t *testing.T) {
	t.Parallel()
	commands := func(n int) int64 {
		counter := &mongodb.CommandCounter{}
		db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
		insert(t, db, many(n)...)
		store := examcleanupmongo.New(db)
		counter.Reset()
		err := store.Old(t.Context(), cutoff, func(ctx context.Context, p examcleanup.Page) error {
			_, err := store.Move(ctx, p.Old, cutoff, planned)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return counter.Total()
	}
	small, large := commands(1000), commands(2000)
	if large > small+2*3 {
		t.Errorf("%d commands for 1000 documents, %d for 2000; want three more for each of two more pages", small, large)
	}
}
