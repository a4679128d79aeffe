package backup_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
)

// A damaged backup is found by verify, refused by restore with a sentence that
// names the file, and changes nothing in the database.
func TestDamagedBackups(t *testing.T) {
	t.Parallel()
	db := seeded(t)
	flip := func(text []byte) []byte { text[len(text)/2] ^= 0x40; return text }
	half := func(text []byte) []byte { return text[:len(text)/2] }
	manifest := func(change func(string) string) func(*testing.T, string, backup.Created) {
		return func(t *testing.T, dir string, made backup.Created) {
			rewrite(t, filepath.Join(dir, made.Name, backup.ManifestFile), func(text []byte) []byte { return []byte(change(string(text))) })
		}
	}
	data := func(change func([]byte) []byte) func(*testing.T, string, backup.Created) {
		return func(t *testing.T, dir string, made backup.Created) { rewrite(t, dataFile(dir, made, "users"), change) }
	}
	remove := func(file string) func(*testing.T, string, backup.Created) {
		return func(t *testing.T, dir string, made backup.Created) {
			if err := os.Remove(filepath.Join(dir, made.Name, file)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for title, test := range map[string]struct {
		harm func(t *testing.T, dir string, made backup.Created)
		want []string
	}{
		"a file cut off":      {data(half), []string{"users.bson.gz", "bytes, and"}},
		"a file emptied":      {data(func([]byte) []byte { return nil }), []string{"users.bson.gz", "has 0 bytes"}},
		"one bit changed":     {data(flip), []string{"users.bson.gz", "has changed: its SHA-256 is"}},
		"a file appended to":  {data(func(text []byte) []byte { return append(text, "more"...) }), []string{"users.bson.gz", "bytes, and"}},
		"a file missing":      {remove(filepath.Join(db.Name(), "empty.bson.gz")), []string{"empty.bson.gz", "is missing"}},
		"metadata missing":    {remove(filepath.Join(db.Name(), "users.metadata.json.gz")), []string{"users.metadata.json.gz", "is missing"}},
		"the sums missing":    {remove(backup.SumsFile), []string{backup.SumsFile, "is missing"}},
		"no manifest":         {remove(backup.ManifestFile), []string{"no such backup"}},
		"manifest cut off":    {manifest(func(s string) string { return s[:len(s)/2] }), []string{"manifest.json", "is not a manifest"}},
		"manifest changed":    {manifest(func(s string) string { return strings.Replace(s, `"documents": 2500`, `"documents": 2400`, 1) }), []string{"do not agree"}},
		"manifest of another": {manifest(func(s string) string { return strings.Replace(s, "20260817T", "20250817T", 1) }), []string{"belongs to a backup named"}},
		"manifest of another version": {
			manifest(func(s string) string { return strings.Replace(s, `"format": 1`, `"format": 2`, 1) }),
			[]string{"has format 2", "use the version that wrote it (v1.2.3)"},
		},
		"manifest that leads out": {
			manifest(func(s string) string { return strings.Replace(s, `"path": "`, `"path": "../../`, 1) }),
			[]string{"names the file", "which no backup has"},
		},
		"manifest with an unknown kind": {
			manifest(func(s string) string { return strings.Replace(s, `"kind": "collection"`, `"kind": "table"`, 1) }),
			[]string{"has an entry for the collection"},
		},
		"a file too many": {
			func(t *testing.T, dir string, made backup.Created) {
				if err := os.WriteFile(filepath.Join(dir, made.Name, db.Name(), "more.bson.gz"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"more.bson.gz", "is not in the manifest"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := dirstore.New(dir)
			made := create(t, db, store, quiet())
			test.harm(t, dir, made)
			_, err := backup.Verify(t.Context(), store, made.Name, nil)
			mustContain(t, err, test.want...)

			restored := mongotest.Database(t)
			_, err = backup.Restore(t.Context(), store, made.Name, of(restored), backup.RestoreOptions{})
			mustContain(t, err, test.want...)
			isEmpty(t, restored)
		})
	}
}

// A database that is not empty is refused, and replaced only when told to.
func TestRestoreIntoADatabaseInUse(t *testing.T) {
	t.Parallel()
	db, store := seeded(t), dirstore.New(t.TempDir())
	made := create(t, db, store, quiet())
	restored := mongotest.Database(t)
	insert(t, restored, "precious", bson.D{{Key: "_id", Value: 1}})
	before := content(t, restored)

	_, err := backup.Restore(t.Context(), store, made.Name, of(restored), backup.RestoreOptions{})
	mustContain(t, err, "is not empty", "precious", "--force")
	if !errors.Is(err, backup.ErrNotEmpty) || len(content(t, restored)) != len(before) {
		t.Errorf("%v; now it has %d collections", err, len(content(t, restored)))
	}
	if _, err := backup.Restore(t.Context(), store, made.Name, of(restored), backup.RestoreOptions{Drop: true}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, restored); len(got) != 3 || got["precious"] != nil {
		t.Errorf("it has the collections %v", got)
	}
}

func TestUnknownBackups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dirstore.New(filepath.Join(dir, "backups"))
	for _, name := range []string{"etrainer-20260817T030000.000Z", "../etc", "", ".partial-etrainer-20260817T030000.000Z"} {
		_, err := backup.Verify(t.Context(), store, name, nil)
		if err == nil || !strings.Contains(err.Error(), "no such backup") && !strings.Contains(err.Error(), "is not the name of a backup") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := backup.Newest(t.Context(), store); !errors.Is(err, backup.ErrNotFound) {
		t.Errorf("the newest of none: %v", err)
	}
	if list, err := backup.List(t.Context(), store); err != nil || len(list) != 0 {
		t.Errorf("the list of none: %v, %v", list, err)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	id := identity(t)
	_, err := backup.ParseRecipients([]string{id.Recipient().String(), id.String()})
	mustContain(t, err, "recipient 2 is not the public key")
	if strings.Contains(err.Error(), id.String()) {
		t.Error("the error shows the private key")
	}
	if _, err := backup.ParseIdentities(strings.NewReader("nonsense\n")); err == nil {
		t.Error("nonsense is an identity file")
	}
	if ids, err := backup.ParseIdentities(strings.NewReader("# created\n" + id.String() + "\n")); err != nil || len(ids) != 1 {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"etrainer-20260817T030000.000Z", "etrainer-20260818T030000.000Z", "etrainer-20251231T030000.000Z"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if name, err := backup.Newest(t.Context(), dirstore.New(dir)); err != nil || name != "etrainer-20260818T030000.000Z" {
		t.Errorf("%s, %v", name, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "other-20260101T030000.000Z"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := backup.Newest(t.Context(), dirstore.New(dir))
	mustContain(t, err, "backups of etrainer and of other")
}

// What is excluded is left out, and said to be.
func TestExclude(t *testing.T) {
	t.Parallel()
	o := quiet()
	o.Exclude = []string{"users", "unknown"}
	made := create(t, seeded(t), dirstore.New(t.TempDir()), o)
	if len(made.Collections) != 2 || len(made.Excluded) != 1 || made.Excluded[0] != "users" {
		t.Errorf("%d collections, excluded %v", len(made.Collections), made.Excluded)
	}
}

// A snapshot that the server no longer has does not fail the backup: the
// collection is read again, whole, and the manifest says what happened.
func TestLostSnapshot(t *testing.T) {
	t.Parallel()
	db, store := seeded(t), dirstore.New(t.TempDir())
	lost := false
	source := breaking{of(db), 2000, func() error {
		if lost {
			return nil
		}
		lost = true
		return backup.ErrSnapshotLost
	}}
	made, err := backup.Create(t.Context(), source, store, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if made.Consistent || !strings.Contains(made.Consistency, "no longer has the snapshot") || made.Documents != 2501 {
		t.Errorf("%d documents, consistent %t: %s", made.Documents, made.Consistent, made.Consistency)
	}
	if _, err := backup.Verify(t.Context(), store, made.Name, nil); err != nil {
		t.Error(err)
	}
}

// A second attempt of the same run finds what the first has finished.
func TestSecondAttemptOfARun(t *testing.T) {
	t.Parallel()
	db, store := seeded(t), dirstore.New(t.TempDir())
	o := quiet()
	o.Run, o.RunSince = "65a7@2026-08-17T03:00:00Z", began
	first := create(t, db, store, o)
	o.Now = at(began.Add(o.RunSince.Sub(began) + 1e9))
	second := create(t, db, store, o)
	if first.Reused || !second.Reused || second.Name != first.Name || second.SHA256 != first.SHA256 || second.Location != first.Location {
		t.Errorf("first %s (reused %t), second %s (reused %t)", first.Name, first.Reused, second.Name, second.Reused)
	}
	o.Run = "65a7@2026-08-18T03:00:00Z"
	if third := create(t, db, store, o); third.Reused || third.Name == first.Name {
		t.Errorf("another run reused %s", third.Name)
	}
}

// FuzzManifest: whatever stands in a manifest, reading it ends with a manifest
// or an error, and no file of it is outside of the backup.
func FuzzManifest(f *testing.F) {
	const name = "etrainer-20260817T030000.000Z"
	f.Add([]byte(`{"format":1,"name":"` + name + `","collections":[{"name":"a","kind":"view","metadata":{"path":"a"}}]}`))
	f.Add([]byte(`{"format":1,"name":"` + name + `","collections":[{"name":"a","kind":"collection","data":{"path":"../a"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := backup.ParseManifest(name, text)
		if err != nil {
			return
		}
		for _, file := range m.Files() {
			if !filepath.IsLocal(filepath.FromSlash(file.Path)) {
				t.Errorf("the path %q leads out", file.Path)
			}
		}
	})
}

// FuzzDocuments: any stream ends with an error or is cut into documents that
// are exactly it.
func FuzzDocuments(f *testing.F) {
	empty := []byte{5, 0, 0, 0, 0}
	f.Add(empty)
	f.Add(append(empty, empty...))
	f.Add([]byte{255, 255, 255, 255})
	f.Add([]byte{4, 0, 0, 0})
	f.Add([]byte{6, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, stream []byte) {
		documents, err := backup.Documents(bytes.NewReader(stream))
		if err == nil && !bytes.Equal(bytes.Join(documents, nil), stream) {
			t.Errorf("%x was cut into %x", stream, documents)
		}
	})
}
