package backup_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
)

// The environment that makes this binary the child that is killed.
const (
	childDir      = "BACKUP_TEST_DIR"
	childURI      = "BACKUP_TEST_URI"
	childDatabase = "BACKUP_TEST_DATABASE"
)

// child backs up until it is in the middle, says so, and waits to be killed.
func child(dir string) {
	client, err := mongo.Connect(options.Client().ApplyURI(os.Getenv(childURI)))
	if err != nil {
		fmt.Println(err)
		return
	}
	source := breaking{Source: of(client.Database(os.Getenv(childDatabase))), after: 2000, fail: func() error {
		fmt.Println("in the middle")
		_, err := io.Copy(io.Discard, os.Stdin) // until the parent is gone
		return errors.Join(err, io.ErrUnexpectedEOF)
	}}
	_, err = backup.Create(context.Background(), source, dirstore.New(dir), backup.CreateOptions{Now: time.Now})
	fmt.Println(err)
}

// A process that is killed in the middle leaves no backup, keeps nobody from
// the next one, and what it wrote is removed by that.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	db, dir := seeded(t), t.TempDir()
	store := dirstore.New(dir)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childURI+"="+mongotest.URI(t), childDatabase+"="+db.Name())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "in the middle\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	if _, err := backup.Create(t.Context(), of(db), store, quiet()); !errors.Is(err, backup.ErrBusy) {
		t.Errorf("while the child writes: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	left := entries(t, dir)
	if len(left) != 1 || !strings.HasPrefix(left[0], ".partial-") {
		t.Errorf("the child left %v", left)
	}
	if names, err := store.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("listed after the kill: %v, %v", names, err)
	}
	made := create(t, db, store, quiet())
	if diff := cmp.Diff([]string{made.Name}, entries(t, dir)); diff != "" {
		t.Errorf("after the next run (-want +got):\n%s", diff)
	}
	if _, err := backup.Verify(t.Context(), store, made.Name, nil); err != nil {
		t.Error(err)
	}
}

// Whatever goes wrong in the middle fails the backup, leaves nothing of it and
// keeps the one before.
func TestFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	db := seeded(t)
	broken := errors.New("the collection cannot be read")
	for name, test := range map[string]struct {
		source func(cancel context.CancelFunc) backup.Source
		want   error
	}{
		"a collection fails": {func(context.CancelFunc) backup.Source {
			return breaking{of(db), 1200, func() error { return broken }}
		}, broken},
		"the disk gets full": { // with a real small disk in dirstore, where one can be mounted
			func(context.CancelFunc) backup.Source {
				return breaking{of(db), 1200, func() error { return fmt.Errorf("write: %w", syscall.ENOSPC) }}
			}, syscall.ENOSPC,
		},
		"cancelled between pages": {func(cancel context.CancelFunc) backup.Source {
			return breaking{of(db), 1200, func() error { cancel(); return nil }}
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := dirstore.New(dir)
			before := create(t, db, store, quiet())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := quiet()
			o.Now = at(began.Add(time.Hour))
			_, err := backup.Create(ctx, test.source(cancel), store, o)
			if !errors.Is(err, test.want) {
				t.Errorf("the error is %v, want %v", err, test.want)
			}
			mustContain(t, err, "back up the collection users")
			if errors.Is(err, syscall.ENOSPC) {
				mustContain(t, err, "no space is left for the backup at "+dir, "BACKUP_KEEP_DAILY", "earlier backups are untouched")
			}
			if diff := cmp.Diff([]string{before.Name}, entries(t, dir)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
			if _, err := backup.Verify(t.Context(), store, before.Name, nil); err != nil {
				t.Errorf("the backup before: %v", err)
			}
		})
	}
}
