package localdisk_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	store, err := localdisk.Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	mediatest.Run(t, store)
}

// leave puts a file of an age where files come in.
func leave(t *testing.T, store *localdisk.Store, name string, modified time.Time) string {
	t.Helper()
	path := filepath.Join(store.Incoming(), name)
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, modified, modified); err != nil {
		t.Fatal(err)
	}
	return path
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestSweep removes what a crash left, and not what is coming in; variants whose
// picture is gone, and no others.
func TestSweep(t *testing.T) {
	t.Parallel()
	root, now := t.TempDir(), time.Now()
	store, err := localdisk.Open(root, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	old, young := leave(t, store, "old", now.Add(-2*time.Hour)), leave(t, store, "young", now.Add(-time.Minute))
	kept, gone := put(t, store, mediafile.PNG, mediatest.PNG(400, 300)), put(t, store, mediafile.PNG, mediatest.PNG(400, 300))
	if err := os.Remove(filepath.Join(root, "files", gone.PublicID+".png")); err != nil {
		t.Fatal(err)
	}
	if err := store.Sweep(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		old: false, young: true,
		filepath.Join(root, "variants", kept.PublicID): true, filepath.Join(root, "variants", gone.PublicID): false,
	} {
		if there(path) != want {
			t.Errorf("%s is there: %t", path, !want)
		}
	}
}

// TestSweeper sweeps every hour.
func TestSweeper(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	store, err := localdisk.Open(t.TempDir(), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	sweeper := store.Sweeper(clock, slog.New(slog.DiscardHandler))
	if err := sweeper.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		left := leave(t, store, "left", clock.Now())
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Hour)
		edgetest.Until(t, "the file is gone", func() bool { return !there(left) })
	}
	if err := sweeper.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAnotherDisk: a file that was received on another disk is copied whole, or
// not at all: what was there before stays.
func TestAnotherDisk(t *testing.T) {
	t.Parallel()
	memory, err := os.MkdirTemp("/dev/shm", "localdisk-*") //nolint:usetesting // on a disk of its own
	if err != nil {
		t.Skipf("there is no other disk: %v", err)
	}
	defer func() { _ = os.RemoveAll(memory) }()
	store, dir := open(t)
	upload := mediatest.Received(t, media.Audio, mediafile.WAV)
	upload.Path = filepath.Join(memory, "received")
	content := mediatest.Sample(mediafile.WAV)
	if err := os.WriteFile(upload.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), upload); err != nil {
		t.Fatal(err)
	}
	upload.Path = memory // a folder, of which no byte can be read
	if _, err := store.Put(t.Context(), upload); err == nil {
		t.Error("a folder was stored")
	}
	if got, err := os.ReadFile(filepath.Join(dir, "files", upload.PublicID+".wav")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
	if entries, err := os.ReadDir(store.Incoming()); err != nil || len(entries) != 0 {
		t.Errorf("incoming: %v, %v", entries, err)
	}
}
