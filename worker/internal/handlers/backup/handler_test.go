package backup_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/backupenv"
	"github.com/etrainer/backend/worker/internal/backup/backupmongo"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
	backupjob "github.com/etrainer/backend/worker/internal/handlers/backup"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// run runs a job, and returns its finished record.
func run(t *testing.T, db *mongo.Database, open func() (backup.Store, error)) job.Run {
	t.Helper()
	source := backupmongo.Of(db, mongodb.Capabilities{Engine: mongodb.EngineFerretDB, Topology: mongodb.TopologyStandalone})
	return handlertest.Run(t, db, backupjob.New(backupjob.Options{
		Source: source, Open: open, Retention: backup.Retention{Daily: 1}, Now: time.Now,
	}), nil, time.Time{})
}

// The job writes a backup that can be verified, removes an old one, and tells
// both, with the keys of the Node backend.
func TestJob(t *testing.T) {
	t.Parallel()
	db, dir := mongotest.Database(t), t.TempDir()
	if _, err := db.Collection("users").InsertMany(t.Context(), []bson.D{{{Key: "_id", Value: 1}}, {{Key: "_id", Value: 2}}}); err != nil {
		t.Fatal(err)
	}
	old := backup.NameOf(db.Name(), time.Now().AddDate(0, 0, -2))
	if err := os.Mkdir(filepath.Join(dir, old), 0o700); err != nil {
		t.Fatal(err)
	}
	store := dirstore.New(dir)
	record := run(t, db, func() (backup.Store, error) { return store, nil })

	var value any
	if err := record.Result.Unmarshal(&value); err != nil {
		t.Fatalf("the result of %+v: %v", record, err)
	}
	text, err := bson.MarshalExtJSON(bson.D{{Key: "r", Value: value}}, false, false)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		R struct {
			BackupResults []struct {
				Collection string `json:"collection"`
				Count      int64  `json:"count"`
				SHA256     string `json:"sha256"`
			} `json:"backupResults"`
			Timestamp  any      `json:"timestamp"`
			Name       string   `json:"name"`
			Path       string   `json:"path"`
			SHA256     string   `json:"sha256"`
			Bytes      int64    `json:"bytes"`
			Consistent *bool    `json:"consistent"`
			Removed    []string `json:"removed"`
		} `json:"r"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	r := got.R
	if r.Timestamp == nil || r.Path != filepath.Join(dir, r.Name) || len(r.SHA256) != 64 || r.Bytes == 0 || r.Consistent == nil || *r.Consistent {
		t.Errorf("the result is %s", text)
	}
	if len(r.Removed) != 1 || r.Removed[0] != old {
		t.Errorf("removed %v, want %s", r.Removed, old)
	}
	counts := map[string]int64{}
	for _, c := range r.BackupResults {
		counts[c.Collection] = c.Count
		if len(c.SHA256) != 64 {
			t.Errorf("%s has the SHA-256 %q", c.Collection, c.SHA256)
		}
	}
	if counts["users"] != 2 || counts["agendaJobs"] != 1 {
		t.Errorf("the counts are %v", counts)
	}
	if _, err := backup.Verify(t.Context(), store, r.Name, nil); err != nil {
		t.Error(err)
	}
	if record.Progress == nil || record.Progress.Percent != 100 || len(record.Logs) == 0 {
		t.Errorf("progress %+v, %d log lines", record.Progress, len(record.Logs))
	}
}

// cancelled is a source whose run is cancelled at its first document.
type cancelled struct {
	backup.Source
	cancel func(context.Context)
}

func (c cancelled) Open(ctx context.Context) (backup.Reader, error) {
	reader, err := c.Source.Open(ctx)
	return &cancelledReader{Reader: reader, cancel: sync.OnceFunc(func() { c.cancel(ctx) })}, err
}

type cancelledReader struct {
	backup.Reader
	cancel func()
}

func (c *cancelledReader) Documents(ctx context.Context, collection string, each func([]byte) error) error {
	return c.Reader.Documents(ctx, collection, func(document []byte) error {
		c.cancel()
		return each(document)
	})
}

// A cancelled run stops at the next page and leaves nothing; the next one
// makes one backup.
func TestACancelInTheMiddle(t *testing.T) {
	t.Parallel()
	db, dir := mongotest.Database(t), t.TempDir()
	users := make([]bson.D, 5000)
	for i := range users {
		users[i] = bson.D{{Key: "_id", Value: i}}
	}
	if _, err := db.Collection("users").InsertMany(t.Context(), users); err != nil {
		t.Fatal(err)
	}
	store := dirstore.New(dir)
	open := func() (backup.Store, error) { return store, nil }
	record := handlertest.RunCancelled(t, db, func(cancel func(context.Context)) runner.Handler {
		source := backupmongo.Of(db, mongodb.Capabilities{Engine: mongodb.EngineFerretDB, Topology: mongodb.TopologyStandalone})
		return backupjob.New(backupjob.Options{Source: cancelled{source, cancel}, Open: open, Retention: backup.Retention{Daily: 1}, Now: time.Now})
	}, nil, time.Time{})
	if left, err := os.ReadDir(dir); record.Outcome != job.Cancelled || len(left) != 1 || left[0].Name() != ".lock" || err != nil {
		t.Errorf("it ended as %s: %s; it left %v", record.Outcome, record.Error, left)
	}
	if record = run(t, db, open); record.Outcome != job.Succeeded {
		t.Errorf("the second run ended as %s: %s", record.Outcome, record.Error)
	}
	if names, err := store.Names(t.Context()); err != nil || len(names) != 1 {
		t.Errorf("there are %v, %v", names, err)
	}
}

// Without a place the job fails at once, for good, and says what to set.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	record := run(t, mongotest.Database(t), backupenv.Env{}.Open)
	if record.Outcome != job.Dead || !strings.Contains(record.Error, "set BACKUP_DIR") {
		t.Errorf("the run is %+v", record)
	}
}
