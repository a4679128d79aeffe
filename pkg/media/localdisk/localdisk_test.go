package localdisk_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediatest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	store, err := localdisk.Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	mediatest.Run(t, store)
}

// TestSweep removes what a crash left, and not what is coming in.
func TestSweep(t *testing.T) {
	t.Parallel()
	root, now := t.TempDir(), time.Now()
	store, err := localdisk.Open(root, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(store.Incoming(), "old"), filepath.Join(store.Incoming(), "young")
	for path, age := range map[string]time.Duration{old: 2 * time.Hour, young: time.Minute} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old file: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young file: %v", err)
	}
}
