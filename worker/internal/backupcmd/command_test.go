package backupcmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"filippo.io/age"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	baseconfig "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/config"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// patience is that of a command with a database that does not answer: more than
// the attempts take after which a program would use the fallback.
const patience = 5 * time.Second

// shell executes the command with an environment of its own.
type shell struct {
	t   *testing.T
	env map[string]string
	now time.Time
	log bytes.Buffer
}

func newShell(t *testing.T, database string) *shell {
	return &shell{t: t, now: time.Date(2026, 8, 17, 3, 0, 0, 0, time.UTC), env: map[string]string{
		"MONGODB_URI": strings.TrimSuffix(mongotest.URI(t), "/") + "/" + database, "BACKUP_DIR": filepath.Join(t.TempDir(), "backups"),
	}}
}

func (s *shell) run(args ...string) (string, error) {
	s.t.Helper()
	cmd := newCommand(tool{
		load: func(c *config.Config) error {
			return baseconfig.Load(c, baseconfig.Options{Environment: s.env})
		},
		now: func() time.Time { return s.now }, patience: patience,
	})
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&s.log)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(s.t.Context())
	return out.String(), err
}

// must runs a command that has to succeed and say something.
func (s *shell) must(want string, args ...string) string {
	s.t.Helper()
	out, err := s.run(args...)
	if err != nil || !strings.Contains(out, want) {
		s.t.Fatalf("%v: %v\n%s\nwant %q", args, err, out, want)
	}
	return out
}

func filled(t *testing.T) *mongo.Database {
	t.Helper()
	db := mongotest.Database(t)
	for i := range 3 {
		if _, err := db.Collection("users").InsertOne(t.Context(), bson.D{{Key: "_id", Value: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// From a backup by hand to a restored database, as docs/backup.md walks it.
func TestWalk(t *testing.T) {
	t.Parallel()
	db, other := filled(t), mongotest.Database(t)
	s := newShell(t, db.Name())
	s.must("there are no backups", "list")
	name := backup.NameOf(db.Name(), s.now)
	s.must(name+"\n3 documents in 1 collections", "run")
	s.now = s.now.Add(time.Hour)
	s.env["BACKUP_KEEP_ALL"] = "0s"
	s.must("removed "+name, "run") // of one day the newest is kept
	if _, err := s.run("run"); err == nil {
		t.Error("a second backup of the same instant has overwritten the first")
	}
	s.must("is whole: 3 documents in 1 collections", "verify")
	s.must("is restored into "+other.Name()+" and equal: 3 documents", "restore", "latest", "--database", other.Name())

	s.must("are equal", "compare", "latest", "--database", other.Name())

	_, err := s.run("restore", "latest", "--database", other.Name())
	if !errors.Is(err, backup.ErrNotEmpty) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("restore into a full database: %v", err)
	}
	s.must("and equal", "restore", "latest", "--database", other.Name(), "--force")

	if _, err := other.Collection("users").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: "1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run("compare", "latest", "--database", other.Name()); !errors.Is(err, backup.ErrDiffers) {
		t.Errorf("with a document less: %v", err)
	}

	var lines []struct {
		Name, Path string
		Kept       []string
		Manifest   struct{ Documents int }
	}
	if err := json.Unmarshal([]byte(s.must("[", "list", "--json")), &lines); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 || lines[0].Manifest.Documents != 3 || lines[0].Kept[0] != backup.KeptNewest || lines[0].Path != filepath.Join(s.env["BACKUP_DIR"], lines[0].Name) {
		t.Errorf("the list is %+v", lines)
	}
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	db, other := filled(t), mongotest.Database(t)
	s := newShell(t, db.Name())
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte("# made for a test\n"+id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env["BACKUP_AGE_RECIPIENTS"] = id.Recipient().String()
	s.must("3 documents", "run")
	s.must("was not opened", "verify")
	if out := s.must("is whole", "verify", "--identity", key); strings.Contains(out, "not opened") {
		t.Errorf("with the identity: %s", out)
	}
	if _, err := s.run("restore", "latest", "--database", other.Name()); !errors.Is(err, backup.ErrNeedsIdentity) {
		t.Errorf("without the identity: %v", err)
	}
	s.must("and equal", "restore", "latest", "--database", other.Name(), "--identity", key)
	s.must("yes", "list")
}

// A backup of the fallback database would count as the newest one of Atlas, and
// remove those.
func TestTheFallbackIsNotUsed(t *testing.T) {
	t.Parallel()
	db := filled(t)
	s := newShell(t, db.Name())
	s.env["BACKUP_KEEP_ALL"] = "0s"
	name := strings.Fields(s.must("3 documents", "run"))[0]
	atlas := wiretest.New(t, func(command bson.Raw) bson.D { // it takes no writes
		return wiretest.Greet(command, bson.D{{Key: "isWritablePrimary", Value: false}, {Key: "secondary", Value: true}, {Key: "setName", Value: "rs0"}}, nil)
	})
	s.env["MONGODB_ATLAS_URI"], s.env["MONGODB_FALLBACK"] = "mongodb://"+atlas.Host()+"/"+db.Name()+"?directConnection=true", "allow"
	s.now = s.now.Add(time.Hour)
	for _, args := range [][]string{{"run"}, {"restore", "latest", "--force"}} {
		s.log.Reset()
		_, err := s.run(args...)
		if err == nil || !strings.Contains(err.Error(), "MONGODB_ATLAS_URI") {
			t.Errorf("%v with Atlas away: %v", args, err)
		}
		for _, want := range []string{"MONGODB_FALLBACK does not count for this command", "MongoDB does not answer"} {
			if !strings.Contains(s.log.String(), want) {
				t.Errorf("%v: the log does not say %q:\n%s", args, want, &s.log)
			}
		}
	}
	if out := s.must(name, "list"); strings.Count(out, db.Name()+"-") != 1 {
		t.Errorf("the backups are\n%s\nwant the one of before alone", out)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	s := newShell(t, "unused")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"verify"}, "there is no such backup"},
		{[]string{"verify", "../../etc"}, "is not the name of a backup"},
		{[]string{"restore", "etrainer-20260817T030000.000Z", "--identity", "/nowhere"}, "open the identity file"},
		{[]string{"restore"}, "accepts 1 arg(s)"},
	} {
		if _, err := s.run(test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v; want %q", test.args, err, test.want)
		}
	}
	s.env["BACKUP_DIR"] = ""
	if _, err := s.run("list"); err == nil || !strings.Contains(err.Error(), "set BACKUP_DIR") {
		t.Errorf("without a place: %v", err)
	}
	s.env["BACKUP_KEEP_DAILY"] = "none"
	if _, err := s.run("list"); !errors.Is(err, baseconfig.ErrConfig) {
		t.Errorf("with a wrong setting: %v", err)
	}
}
