package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/s3store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var began = time.Date(2026, 8, 17, 3, 0, 0, 0, time.UTC)

// bucket is a local service that speaks S3, and the store in a bucket of it.
func bucket(t *testing.T, now time.Time) *s3store.Store {
	t.Helper()
	service := s3mem.New()
	server := httptest.NewTLSServer(gofakes3.New(service, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	if err := service.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	return at(t, server, "backups", now)
}

func at(t *testing.T, server *httptest.Server, name string, now time.Time) *s3store.Store {
	t.Helper()
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	store, err := s3store.New(s3store.Options{
		Endpoint: endpoint, Bucket: name, Prefix: "nightly/etrainer", Region: "us-east-1",
		AccessKey: "key", SecretKey: "secret", Transport: server.Client().Transport, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// database has two collections: one that is sent in parts, one in one request.
type database struct{ fail error }

func (database) Database() string                              { return "etrainer" }
func (database) Engine() backup.Engine                         { return backup.Engine{} }
func (d database) Open(context.Context) (backup.Reader, error) { return d, nil }
func (database) Consistency() backup.Consistency               { return backup.Consistency{} }
func (database) Loosen(error)                                  {}
func (database) Close(context.Context)                         {}
func (database) Collections(context.Context, func(string) bool) ([]backup.Collection, error) {
	return []backup.Collection{
		{Name: "large", Kind: backup.KindCollection, Metadata: []byte(`{"indexes":[]}`)},
		{Name: "small", Kind: backup.KindCollection, Metadata: []byte(`{"indexes":[]}`)},
	}, nil
}

func (d database) Documents(_ context.Context, collection string, each func([]byte) error) error {
	count := 40 // of a megabyte that does not compress: three parts
	if collection == "small" {
		if d.fail != nil {
			return d.fail
		}
		count = 1
	}
	random := rand.NewChaCha8([32]byte{})
	for range count {
		document := make([]byte, 1<<20)
		_, _ = random.Read(document)
		copy(document, []byte{0, 0, 16, 0}) // its length
		document[len(document)-1] = 0
		if err := each(document); err != nil {
			return err
		}
	}
	return nil
}

func TestBucket(t *testing.T) {
	t.Parallel()
	store := bucket(t, began)
	made, err := backup.Create(t.Context(), database{}, store, backup.CreateOptions{Now: func() time.Time { return began }})
	if err != nil {
		t.Fatal(err)
	}
	if want := "s3://backups/nightly/etrainer/etrainer-20260817T030000.000Z"; made.Location != want {
		t.Errorf("it is at %s, want %s", made.Location, want)
	}
	if _, err := backup.Verify(t.Context(), store, made.Name, nil); err != nil {
		t.Errorf("Verify: %v", err)
	}
	names, err := store.Names(t.Context())
	if err != nil || cmp.Diff([]string{made.Name}, names) != "" {
		t.Errorf("the names are %v, %v", names, err)
	}
	if _, err := store.Open(t.Context(), made.Name, "etrainer/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	removed, err := backup.Prune(t.Context(), store, "etrainer", backup.Retention{}, began.Add(time.Hour))
	if err != nil || len(removed) != 0 {
		t.Errorf("pruned %v, %v", removed, err)
	}
	if err := store.Remove(t.Context(), made.Name); err != nil {
		t.Fatal(err)
	}
	if files, err := store.Files(t.Context(), made.Name); err != nil || len(files) != 0 {
		t.Errorf("after Remove there are %v, %v", files, err)
	}
}

// What fails half way is not listed, and is removed.
func TestHalfABackup(t *testing.T) {
	t.Parallel()
	store := bucket(t, began)
	broken := errors.New("the collection cannot be read")
	_, err := backup.Create(t.Context(), database{fail: broken}, store, backup.CreateOptions{Now: func() time.Time { return began }})
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if files, err := store.Files(t.Context(), ""); err != nil || len(files) != 0 {
		t.Errorf("there are %v, %v", files, err)
	}
}

// What a crash left is not a backup, and goes a day later, when nobody can be
// writing it any more.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	young, old := backup.NameOf("etrainer", began.Add(-23*time.Hour)), backup.NameOf("etrainer", began.Add(-25*time.Hour))
	store := bucket(t, began)
	for _, name := range []string{young, old} {
		draft, err := store.Begin(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := draft.Create(t.Context(), "etrainer/users.bson.gz")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(file, bytes.NewReader([]byte("half"))); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := store.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("the names are %v, %v", names, err)
	}
	if _, err := store.Begin(t.Context(), backup.NameOf("etrainer", began)); err != nil {
		t.Fatal(err)
	}
	files, err := store.Files(t.Context(), "")
	if err != nil || cmp.Diff([]string{young + "/etrainer/users.bson.gz"}, files) != "" {
		t.Errorf("left are %v, %v", files, err)
	}
}

// A run that is cancelled while it uploads ends, and leaves nothing.
func TestCancelledUpload(t *testing.T) {
	t.Parallel()
	store := bucket(t, began)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := backup.Create(ctx, cancelling{database{}, cancel}, store, backup.CreateOptions{Now: func() time.Time { return began }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if files, err := store.Files(t.Context(), ""); err != nil || len(files) != 0 {
		t.Errorf("there are %v, %v", files, err)
	}
}

type cancelling struct {
	database
	cancel context.CancelFunc
}

func (c cancelling) Open(context.Context) (backup.Reader, error) { return c, nil }

func (c cancelling) Documents(ctx context.Context, collection string, each func([]byte) error) error {
	seen := 0
	return c.database.Documents(ctx, collection, func(document []byte) error {
		if seen++; seen == 20 {
			c.cancel()
		}
		return each(document)
	})
}

func TestNoBucket(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	store := at(t, server, "elsewhere", began)
	_, err := backup.Create(t.Context(), database{}, store, backup.CreateOptions{Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "there is no bucket elsewhere") {
		t.Errorf("the error is %v", err)
	}
}
