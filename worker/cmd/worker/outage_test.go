package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	baseconfig "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/outagetest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/config"
	"github.com/etrainer/backend/worker/internal/probe"
)

// patience is how long a test waits for what must come about.
const patience = time.Minute

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// until polls until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not so within %s: %s", patience, what)
		}
		<-tick.C
	}
}

// running is the program and its probe in this process.
type running struct {
	group *lifecycle.Group
	probe *probe.Server
	log   *journal
}

func newRunning(t *testing.T, settings map[string]string) *running {
	t.Helper()
	settings["REDIS_URL"] = mongotest.RedisURL(t)
	var cfg config.Config
	if err := baseconfig.Load(&cfg, baseconfig.Options{Environment: settings}); err != nil {
		t.Fatal(err)
	}
	r := &running{log: &journal{}}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	p := &program{cfg: &cfg, log: log, metrics: metrics.New("worker", log)}
	r.probe = probe.New("127.0.0.1", 0, p.ready, p.metrics.Handler(), http.NotFoundHandler(), log)
	r.group = lifecycle.NewGroup(log)
	r.group.Add("probe", r.probe)
	r.group.Add("program", p)
	return r
}

// start starts it. meanwhile is called while it does.
func (r *running) start(t *testing.T, meanwhile ...func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- r.group.Start(ctx) }()
	for _, do := range meanwhile {
		do()
	}
	if err := <-started; err != nil {
		t.Fatalf("Start: %v\n%s", err, r.log)
	}
	t.Cleanup(func() {
		if err := r.group.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
}

// status is what the private port answers.
func (r *running) status(t *testing.T, path string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.probe.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	_ = reply.Body.Close()
	return reply.StatusCode
}

func (r *running) ready(t *testing.T, want int) {
	t.Helper()
	until(t, "/readyz is "+http.StatusText(want), func() bool { return r.status(t, "/readyz") == want })
}

// away waits until the log tells of an outage.
func (r *running) away(t *testing.T) {
	t.Helper()
	until(t, "the outage is in the log", func() bool { return strings.Contains(r.log.String(), "MongoDB does not answer") })
}

// behind is the address of a database by way of a proxy.
func behind(t *testing.T, database string) (*outagetest.Proxy, string) {
	t.Helper()
	server, err := url.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := outagetest.New(t, server.Host)
	return proxy, "mongodb://" + proxy.Address() + "/" + database
}

// TestReadinessFollowsTheDatabase: a worker that loses the database is alive and
// not ready, goes on, and is ready again by itself. A slow one is no outage.
func TestReadinessFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	proxy, uri := behind(t, db.Name())
	r := newRunning(t, map[string]string{"MONGODB_URI": uri})
	r.start(t)
	r.ready(t, http.StatusOK)
	for _, outage := range []struct {
		name  string
		begin func()
		want  int
	}{
		{"cut", proxy.Cut, http.StatusServiceUnavailable},
		{"frozen", proxy.Freeze, http.StatusServiceUnavailable},
		{"slow", func() { proxy.Delay(200 * time.Millisecond) }, http.StatusOK},
		{"too slow", func() { proxy.Delay(2 * time.Second) }, http.StatusServiceUnavailable},
	} {
		outage.begin()
		r.ready(t, outage.want)
		if got := r.status(t, "/livez"); got != http.StatusOK {
			t.Errorf("%s: /livez is %d", outage.name, got)
		}
		proxy.Restore()
		r.ready(t, http.StatusOK)
		select {
		case err := <-r.group.Failed():
			t.Fatalf("%s: the worker ends: %v", outage.name, err)
		default:
		}
	}
}

// TestTheStartOutlivesAnOutage at each thing that it asks of the database once it
// is connected.
func TestTheStartOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"schema": schema.MigrationsCollection, "fleet": mongofleet.Collection} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := mongotest.Database(t)
			mongotest.Migrate(t, db)
			proxy, uri := behind(t, db.Name())
			proxy.CutAt(at)
			r := newRunning(t, map[string]string{"MONGODB_URI": uri})
			r.start(t, func() {
				r.away(t)
				if got := r.status(t, "/readyz"); got != http.StatusServiceUnavailable {
					t.Errorf("/readyz meanwhile is %d", got)
				}
				proxy.Restore()
			})
			r.ready(t, http.StatusOK)
			if n := strings.Count(r.log.String(), "wake-ups by redis are on"); n > 1 {
				t.Errorf("the log tells %d times of the wake-ups", n)
			}
		})
	}
}

// TestAStartThatIsGivenUpLeavesNothingOpen: what the driver keeps running would
// be found when the tests end.
func TestAStartThatIsGivenUpLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	proxy, uri := behind(t, db.Name())
	proxy.CutAt(mongofleet.Collection)
	r := newRunning(t, map[string]string{"MONGODB_URI": uri})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- r.group.Start(ctx) }()
	r.away(t)
	cancel()
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v, want that it was cancelled", err)
	}
}

// TestTheFallbackIsNotBackedUp: the backups of Atlas, which have the same name,
// would be removed for it.
func TestTheFallbackIsNotBackedUp(t *testing.T) {
	t.Parallel()
	db, dir := mongotest.Database(t), t.TempDir()
	mongotest.Migrate(t, db)
	ofAtlas := backup.NameOf(db.Name(), time.Now().AddDate(-1, 0, 0))
	if err := os.Mkdir(filepath.Join(dir, ofAtlas), 0o700); err != nil {
		t.Fatal(err)
	}
	atlas := wiretest.New(t, func(command bson.Raw) bson.D { // it takes no writes
		return wiretest.Greet(command, bson.D{{Key: "isWritablePrimary", Value: false}, {Key: "secondary", Value: true}, {Key: "setName", Value: "rs0"}}, nil)
	})
	r := newRunning(t, map[string]string{
		"MONGODB_ATLAS_URI": "mongodb://" + atlas.Host() + "/" + db.Name() + "?directConnection=true", "MONGODB_FALLBACK": "allow",
		"MONGODB_URI": mongotest.URI(t) + db.Name(), "BACKUP_DIR": dir, "WORKER_POLL_INTERVAL": "200ms",
	})
	r.start(t)
	store := mongoqueue.New(db, mongoqueue.Options{})
	receipts, err := store.Enqueue(t.Context(), queue.Request{Name: catalog.Backup.Name})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the job has failed, and says why", func() bool {
		runs, err := store.Runs(t.Context(), receipts[0].Job.ID, 1)
		return err == nil && len(runs) == 1 && strings.Contains(runs[0].Error, "this worker works on the fallback database")
	})
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 1 || filepath.Base(names[0]) != ofAtlas {
		t.Errorf("the backups are %v, %v; want the one that there was", names, err)
	}
}
