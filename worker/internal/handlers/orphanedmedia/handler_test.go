package orphanedmedia_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediamongo"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/handlers/orphanedmedia"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// later is two days after the uploads of a test, and an hour more than the
// grace is short of that.
func later() time.Time { return time.Now().Add(48 * time.Hour) }

// bench is a store with its records.
type bench struct {
	db      *mongo.Database
	store   media.Store
	records *mediamongo.Store
	now     func() time.Time
}

func newBench(t *testing.T, store media.Store) *bench {
	t.Helper()
	db := mongotest.Database(t)
	b := &bench{db: db, store: store, records: mediamongo.New(db), now: later}
	if err := b.records.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func disk(t *testing.T) (store *localdisk.Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := localdisk.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return store, dir
}

func account(t *testing.T) media.Store {
	t.Helper()
	cloud := mediatest.NewCloud(t)
	store, err := cloudinary.New(cloudinary.Options{
		CloudName: mediatest.CloudName, APIKey: mediatest.APIKey, APISecret: mediatest.APISecret, Address: cloud.URL,
		StallAfter: time.Second, // a busy machine is not a mute Cloudinary
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// put stores a file, and its record where recorded says so.
func (b *bench) put(t *testing.T, kind media.Kind, format mediafile.Format, recorded bool) media.Asset {
	t.Helper()
	asset, err := b.store.Put(t.Context(), mediatest.Received(t, kind, format))
	if err != nil {
		t.Fatal(err)
	}
	if recorded {
		b.record(t, kind, asset, time.Now())
	}
	return asset
}

func (b *bench) record(t *testing.T, kind media.Kind, asset media.Asset, created time.Time) {
	t.Helper()
	err := b.records.Add(t.Context(), media.Record{
		Ref: asset.Ref, Kind: kind, Owner: "u1", Store: b.store.Name(), Format: asset.Format, Bytes: asset.Bytes, CreatedAt: created,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) run(t *testing.T, payload any) job.Run {
	t.Helper()
	handler := orphanedmedia.New(orphanedmedia.Options{
		Sources: []orphanedmedia.Source{{Name: b.store.Name(), Open: func() (media.Store, error) { return b.store, nil }}},
		Records: b.records, Now: b.now,
	})
	return handlertest.Run(t, b.db, handler, payload, time.Now())
}

// found is the result for the one store of a bench.
func found(t *testing.T, run job.Run) orphanedmedia.StoreResult {
	t.Helper()
	result := handlertest.Result[orphanedmedia.Result](t, run)
	if len(result.Stores) != 1 {
		t.Fatalf("%d stores, want one: %+v", len(result.Stores), result)
	}
	return result.Stores[0]
}

func (b *bench) has(t *testing.T, asset media.Asset) (file, record bool) {
	t.Helper()
	_, errFile := b.store.Info(t.Context(), asset.Ref)
	_, errRecord := b.records.Get(t.Context(), asset.PublicID)
	for _, err := range []error{errFile, errRecord} {
		if err != nil && !errors.Is(err, media.ErrNotFound) {
			t.Fatal(err)
		}
	}
	return errFile == nil, errRecord == nil
}

// TestFindsAndRemoves: reported first, and removed when asked to; a second
// removal finds nothing. Both stores keep that.
func TestFindsAndRemoves(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) media.Store{
		"local disk": func(t *testing.T) media.Store { store, _ := disk(t); return store }, //nolint:thelper // it is a constructor
		"Cloudinary": account,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, open(t))
			whole := b.put(t, media.Image, mediafile.PNG, true)
			noRecord := b.put(t, media.Document, mediafile.PDF, false)
			noFile := b.put(t, media.Audio, mediafile.WAV, true)
			if err := b.store.Delete(t.Context(), noFile.Ref); err != nil {
				t.Fatal(err)
			}
			want := orphanedmedia.StoreResult{
				Store: b.store.Name(), Files: 2, Records: 2,
				FilesWithoutRecord: orphanedmedia.Orphans{Count: 1, Bytes: noRecord.Bytes, IDs: []string{noRecord.PublicID}},
				RecordsWithoutFile: orphanedmedia.Orphans{Count: 1, Bytes: noFile.Bytes, IDs: []string{noFile.PublicID}},
			}
			run := b.run(t, nil)
			if diff := cmp.Diff(want, found(t, run)); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
			if len(run.Logs) == 0 || run.Progress == nil || run.Progress.Percent != 100 {
				t.Errorf("%d log lines, progress %v", len(run.Logs), run.Progress)
			}
			if file, _ := b.has(t, noRecord); !file {
				t.Error("the report removed a file")
			}
			if _, record := b.has(t, noFile); !record {
				t.Error("the report removed a record")
			}
			want.FilesWithoutRecord.Removed, want.RecordsWithoutFile.Removed = 1, 1
			if diff := cmp.Diff(want, found(t, b.run(t, catalog.OrphanedMediaPayload{Remove: true}))); diff != "" {
				t.Errorf("removed (-want +got):\n%s", diff)
			}
			for _, asset := range []media.Asset{noRecord, noFile} {
				if file, record := b.has(t, asset); file || record {
					t.Errorf("%s: file %v, record %v", asset.PublicID, file, record)
				}
			}
			if file, record := b.has(t, whole); !file || !record {
				t.Errorf("the good file: file %v, record %v", file, record)
			}
			again := found(t, b.run(t, catalog.OrphanedMediaPayload{Remove: true}))
			if again.FilesWithoutRecord.Count != 0 || again.RecordsWithoutFile.Count != 0 || again.Files != 1 {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// TestGrace: an upload that has not ended is no orphan.
func TestGrace(t *testing.T) {
	t.Parallel()
	store, _ := disk(t)
	b := newBench(t, store)
	b.now = time.Now
	young := b.put(t, media.Image, mediafile.PNG, false)
	b.record(t, media.Image, media.Asset{Ref: media.Ref{PublicID: media.NewPublicID(media.Image, mediafile.PNG), ResourceType: media.ResourceImage}}, time.Now())
	got := found(t, b.run(t, catalog.OrphanedMediaPayload{Remove: true, GraceHours: 1}))
	if got.Files != 1 || got.Records != 0 || got.FilesWithoutRecord.Count != 0 || got.RecordsWithoutFile.Count != 0 {
		t.Errorf("found %+v", got)
	}
	if file, _ := b.has(t, young); !file {
		t.Error("a young file was removed")
	}
	for _, hours := range []int{-1, 24 * 367} {
		run := b.run(t, bson.M{"remove": true, "graceHours": hours})
		if run.Outcome != job.Dead || !strings.Contains(run.Error, fmt.Sprint("graceHours ", hours, " is out of range")) {
			t.Errorf("%d hours: %s, %s", hours, run.Outcome, run.Error)
		}
	}
}

// TestKeepsWhatIsNotOurs: files of the Node backend have no record, and stay.
func TestKeepsWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	store, dir := disk(t)
	b := newBench(t, store)
	foreign := filepath.Join(dir, "files", "etrainer", "images", "xk2j9.png")
	if err := os.MkdirAll(filepath.Dir(foreign), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, mediatest.PNG(1, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	got := found(t, b.run(t, catalog.OrphanedMediaPayload{Remove: true}))
	if got.Foreign != 1 || got.FilesWithoutRecord.Count != 0 {
		t.Errorf("found %+v", got)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

// TestRefusesAnotherFolder: when every recorded file is missing the worker looks
// at the wrong place, and no record may go.
func TestRefusesAnotherFolder(t *testing.T) {
	t.Parallel()
	apis, _ := disk(t)
	b := newBench(t, apis)
	kept := b.put(t, media.Image, mediafile.PNG, true)
	b.store, _ = disk(t)
	run := b.run(t, catalog.OrphanedMediaPayload{Remove: true})
	if run.Outcome != job.Dead || !strings.Contains(run.Error, "none of the 1 recorded files is in the store local, so nothing was removed") {
		t.Errorf("%s: %s", run.Outcome, run.Error)
	}
	if _, record := b.has(t, kept); !record {
		t.Error("the record is gone")
	}
}

// TestStoreThatTheWorkerDoesNotSee: nothing to do where nothing is recorded
// there, and a failure with the mend where something is.
func TestStoreThatTheWorkerDoesNotSee(t *testing.T) {
	t.Parallel()
	store, _ := disk(t)
	b := newBench(t, store)
	handler := orphanedmedia.New(orphanedmedia.Options{
		Sources: []orphanedmedia.Source{{Name: media.StoreLocal, Open: func() (media.Store, error) { return nil, orphanedmedia.ErrNoStore }}},
		Records: b.records, Now: later,
	})
	run := handlertest.Run(t, b.db, handler, nil, time.Now())
	if result := handlertest.Result[orphanedmedia.Result](t, run); len(result.Stores) != 0 {
		t.Errorf("%+v", result)
	}
	b.put(t, media.Image, mediafile.PNG, true)
	run = handlertest.Run(t, b.db, handler, nil, time.Now())
	if run.Outcome != job.Dead || !strings.Contains(run.Error, "MEDIA_DIR of the api") {
		t.Errorf("%s: %s", run.Outcome, run.Error)
	}
}

// many is a store of more files than a page, none with a record, that notes
// what is deleted.
type many struct {
	media.Store
	count   int
	deleted int
	listed  func(ctx context.Context, n int)
}

func (m *many) All(ctx context.Context) iter.Seq2[media.Asset, error] {
	return func(yield func(media.Asset, error) bool) {
		for n := range m.count {
			m.listed(ctx, n)
			if !yield(media.Asset{Ref: media.Ref{PublicID: media.NewPublicID(media.Image, mediafile.PNG), ResourceType: media.ResourceImage}, Bytes: 10}, nil) {
				return
			}
		}
	}
}

func (m *many) Delete(context.Context, media.Ref) error { m.deleted++; return nil }

// TestManyOrphans: all are counted and removed, the first are named, and the
// result stays small.
func TestManyOrphans(t *testing.T) {
	t.Parallel()
	store, _ := disk(t)
	full := &many{Store: store, count: 1700, listed: func(context.Context, int) {}}
	b := newBench(t, full)
	got := found(t, b.run(t, catalog.OrphanedMediaPayload{Remove: true}))
	if got.FilesWithoutRecord.Count != 1700 || got.FilesWithoutRecord.Removed != 1700 || full.deleted != 1700 || len(got.FilesWithoutRecord.IDs) != 500 || got.FilesWithoutRecord.Bytes != 17000 {
		t.Errorf("%d deleted, %d named: %+v", full.deleted, len(got.FilesWithoutRecord.IDs), got.FilesWithoutRecord.Count)
	}
}

// TestCancelled: a run that is cancelled stops at the end of its page.
func TestCancelled(t *testing.T) {
	t.Parallel()
	store, _ := disk(t)
	full := &many{Store: store, count: 1700}
	b := newBench(t, full)
	full.listed = func(ctx context.Context, n int) {
		if n != 700 { // within the second page
			return
		}
		var running struct {
			ID bson.ObjectID `bson:"_id"`
		}
		err := b.db.Collection(schema.Jobs).FindOne(t.Context(), bson.D{{Key: "name", Value: catalog.OrphanedMedia.Name}}).Decode(&running)
		if err == nil {
			_, err = mongoqueue.New(b.db, mongoqueue.Options{}).Cancel(t.Context(), running.ID, "ann")
		}
		if err != nil {
			t.Error(err)
			return
		}
		<-ctx.Done() // the worker has noticed
	}
	run := b.run(t, catalog.OrphanedMediaPayload{Remove: true})
	if run.Outcome != job.Cancelled || full.deleted != 500 {
		t.Errorf("the run ended as %s after %d of 1700", run.Outcome, full.deleted)
	}
}
