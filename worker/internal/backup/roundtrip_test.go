package backup_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
)

// What is restored into an empty database equals the original, document by
// document and index by index.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	db, dir := seeded(t), t.TempDir()
	store := dirstore.New(dir)
	made := create(t, db, store, quiet())
	if made.Documents != 2501 || len(made.Collections) != 3 || made.Consistent || made.Consistency == "" {
		t.Errorf("the manifest tells of %d documents in %d collections, consistent %t because %q",
			made.Documents, len(made.Collections), made.Consistent, made.Consistency)
	}
	verified, err := backup.Verify(t.Context(), store, made.Name, nil)
	if err != nil || !verified.Opened {
		t.Fatalf("Verify: opened %t, %v", verified.Opened, err)
	}

	restored := mongotest.Database(t)
	if _, err := backup.Restore(t.Context(), store, made.Name, of(restored), backup.RestoreOptions{}); err != nil {
		t.Fatalf("Restore: %v", err)
	}
	want, got := content(t, db), content(t, restored)
	if len(want["users"]) != 2503 { // 2,500 documents, 2 indexes and that of _id
		t.Fatalf("the test reads %d documents and indexes of users", len(want["users"]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the restored database differs (-original +restored):\n%s", diff)
	}
}

// The comparison at the end of a restore sees a document that is changed,
// missing or too many, and an index that is missing.
func TestCompare(t *testing.T) {
	t.Parallel()
	db, store := seeded(t), dirstore.New(t.TempDir())
	made := create(t, db, store, quiet())
	compare := func() error {
		return backup.Compare(t.Context(), store, made.Name, of(db), nil)
	}
	if err := compare(); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	users := db.Collection("users")
	if err := users.Indexes().DropOne(t.Context(), "email_once"); err != nil {
		t.Fatal(err)
	}
	mustContain(t, compare(), "users: the index email_once is missing")
	if _, err := users.UpdateOne(t.Context(), bson.D{{Key: "age", Value: 3}}, bson.D{{Key: "$set", Value: bson.D{{Key: "age", Value: 4}}}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, compare(), "documents of users differ")
	if _, err := users.DeleteOne(t.Context(), bson.D{{Key: "age", Value: 4}}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, compare(), "users has 2499 documents, and the backup 2500")
	if err := db.Collection("empty").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := compare()
	mustContain(t, err, "the collection empty is missing")
	if !errors.Is(err, backup.ErrDiffers) {
		t.Errorf("it is not ErrDiffers: %v", err)
	}
}

// dumped is mongodump's metadata, as mongorestore reads it.
type dumped struct {
	Options        map[string]any    `json:"options"`
	Indexes        []json.RawMessage `json:"indexes"`
	UUID           string            `json:"uuid"`
	CollectionName string            `json:"collectionName"`
	Type           string            `json:"type"`
}

// The files are those of mongodump --gzip: read here by other code, with other
// libraries, than the code that restores.
func TestFilesAreThoseOfMongodump(t *testing.T) {
	t.Parallel()
	db, dir := seeded(t), t.TempDir()
	made := create(t, db, dirstore.New(dir), quiet())
	folder := filepath.Join(dir, made.Name, db.Name())
	if diff := cmp.Diff([]string{
		"%C4%91i%E1%BB%83m%20s%E1%BB%91%2F2026.bson.gz", "%C4%91i%E1%BB%83m%20s%E1%BB%91%2F2026.metadata.json.gz",
		"empty.bson.gz", "empty.metadata.json.gz", "users.bson.gz", "users.metadata.json.gz",
	}, entries(t, folder)); diff != "" {
		t.Errorf("the files (-want +got):\n%s", diff)
	}

	var documents []string
	stream := gunzip(t, filepath.Join(folder, "users.bson.gz"))
	for len(stream) > 0 {
		length := binary.LittleEndian.Uint32(stream)
		raw := bson.Raw(stream[:length])
		if err := raw.Validate(); err != nil {
			t.Fatal(err)
		}
		documents, stream = append(documents, raw.String()), stream[length:]
	}
	if len(documents) != 2500 {
		t.Errorf("%d documents", len(documents))
	}
	if empty := gunzip(t, filepath.Join(folder, "empty.bson.gz")); len(empty) != 0 {
		t.Errorf("the empty collection has %d bytes", len(empty))
	}

	var m dumped
	decoder := json.NewDecoder(bytes.NewReader(gunzip(t, filepath.Join(folder, "users.metadata.json.gz"))))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		t.Fatal(err)
	}
	if m.CollectionName != "users" || m.Type != "collection" || len(m.Indexes) != 3 || m.Options != nil || m.UUID == "" {
		t.Errorf("the metadata is %+v", m)
	}
	var index struct {
		Key    map[string]map[string]string `json:"key"`
		Name   string                       `json:"name"`
		Unique bool                         `json:"unique"`
	}
	if err := json.Unmarshal(m.Indexes[1], &index); err != nil {
		t.Fatalf("index %s: %v", m.Indexes[1], err)
	}
	if index.Name != "email_once" || !index.Unique || index.Key["email"]["$numberInt"] != "1" { // canonical Extended JSON
		t.Errorf("the index is %s", m.Indexes[1])
	}
}

func gunzip(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Password hashes are in there: nobody but the owner may look.
func TestOnlyTheOwnerReads(t *testing.T) {
	t.Parallel()
	db, dir := seeded(t), filepath.Join(t.TempDir(), "backups")
	create(t, db, dirstore.New(dir), quiet())
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sha256sum -c, which every server has, checks a backup without this program.
func TestSHA256SUMS(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip("sha256sum is not installed")
	}
	dir := t.TempDir()
	made := create(t, seeded(t), dirstore.New(dir), quiet())
	cmd := exec.CommandContext(t.Context(), tool, "--strict", "-c", backup.SumsFile)
	cmd.Dir = filepath.Join(dir, made.Name)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), ": OK") != 7 {
		t.Errorf("%v\n%s", err, out)
	}
}

// An encrypted backup has nothing readable but its manifest, opens with any of
// its identities, and with age's own library.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	db, dir := seeded(t), t.TempDir()
	store := dirstore.New(dir)
	mine, theirs, other := identity(t), identity(t), identity(t)
	o := quiet()
	var err error
	if o.Recipients, err = backup.ParseRecipients([]string{mine.Recipient().String(), theirs.Recipient().String()}); err != nil {
		t.Fatal(err)
	}
	made := create(t, db, store, o)
	path := dataFile(dir, made, "users")
	if !strings.HasSuffix(path, ".bson.gz.age") || !made.Encrypted || len(made.Recipients) != 2 {
		t.Errorf("path %s, encrypted %t, recipients %v", path, made.Encrypted, made.Recipients)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if opened, err := age.Decrypt(file, mine); err != nil {
		t.Errorf("age does not open it: %v", err)
	} else if _, err := gzip.NewReader(opened); err != nil {
		t.Errorf("what age opens is not gzip: %v", err)
	}

	if v, err := backup.Verify(t.Context(), store, made.Name, nil); err != nil || v.Opened {
		t.Errorf("without identity: opened %t, %v", v.Opened, err)
	}
	restored := mongotest.Database(t)
	restore := func(identities backup.Identities) error {
		_, err := backup.Restore(t.Context(), store, made.Name, of(restored), backup.RestoreOptions{Identities: identities})
		return err
	}
	if err := restore(nil); !errors.Is(err, backup.ErrNeedsIdentity) {
		t.Errorf("without identity: %v", err)
	}
	if err := restore(backup.Identities{other}); !errors.Is(err, backup.ErrWrongIdentity) {
		t.Errorf("with another's identity: %v", err)
	}
	isEmpty(t, restored)
	if err := restore(backup.Identities{other, theirs}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(content(t, db), content(t, restored)); diff != "" {
		t.Error(diff)
	}
}

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
