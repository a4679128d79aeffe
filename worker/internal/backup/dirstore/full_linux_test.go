package dirstore_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
)

// noise is a database of documents that do not compress.
type noise struct{ documents int }

func (noise) Database() string                              { return "etrainer" }
func (noise) Engine() backup.Engine                         { return backup.Engine{} }
func (n noise) Open(context.Context) (backup.Reader, error) { return n, nil }
func (noise) Consistency() backup.Consistency               { return backup.Consistency{} }
func (noise) Loosen(error)                                  {}
func (noise) Close(context.Context)                         {}
func (noise) Collections(context.Context, func(string) bool) ([]backup.Collection, error) {
	return []backup.Collection{{Name: "noise", Kind: backup.KindCollection, Metadata: []byte(`{"indexes":[]}`)}}, nil
}

func (n noise) Documents(_ context.Context, _ string, each func([]byte) error) error {
	random := rand.NewChaCha8([32]byte{})
	for range n.documents {
		document := make([]byte, 1<<10)
		_, _ = random.Read(document)
		copy(document, []byte{0, 4, 0, 0}) // its length
		document[len(document)-1] = 0
		if err := each(document); err != nil {
			return err
		}
	}
	return nil
}

// A disk that gets full fails the backup with a sentence that says what to do,
// leaves nothing of it, and keeps the backup before.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	dir := filepath.Join(disk, "backups")
	store := dirstore.New(dir)
	began := time.Date(2026, 8, 17, 3, 0, 0, 0, time.UTC)
	before, err := backup.Create(t.Context(), noise{100}, store, backup.CreateOptions{Now: func() time.Time { return began }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = backup.Create(t.Context(), noise{4000}, store, backup.CreateOptions{Now: func() time.Time { return began.Add(time.Hour) }})
	if err == nil || !strings.Contains(err.Error(), "no space is left for the backup at "+dir) || !strings.Contains(err.Error(), "BACKUP_KEEP_DAILY") {
		t.Errorf("the error is %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if diff := cmp.Diff([]string{".lock", before.Name}, left); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if _, err := backup.Verify(t.Context(), store, before.Name, nil); err != nil {
		t.Errorf("the backup before: %v", err)
	}
}

// A directory that may not be written to is named, with the mend.
func TestNotWritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store := dirstore.New(filepath.Join(file, "backups"))
	_, err := backup.Create(t.Context(), noise{1}, store, backup.CreateOptions{Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("the error is %v", err)
	}
}
