package promises

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
)

// front is the api in front of a stage, which can be killed and started
// again on the same port.
type front struct {
	*stage
	url, token string
	redis      string // "" = none
	process    *child

	mu      sync.Mutex
	answer  string // the last one, for the log of a failure
	refused int    // how many requests were not acknowledged
}

func newFront(s *stage) *front { return newFrontOn(s, "") }

// newFrontOn is newFront with a Redis.
func newFrontOn(s *stage, redis string) *front {
	f := &front{stage: s, url: "http://127.0.0.1:" + edgetest.FreePort(s.t), redis: redis}
	mongotest.Migrate(s.t, s.db)
	f.start()
	f.logIn()
	return f
}

func (f *front) start() {
	f.t.Helper()
	cmd := exec.Command(programtest.Path(f.t, "api"))
	cmd.Env = append(os.Environ(), "MONGODB_URI="+f.uri(), "PORT="+f.url[strings.LastIndex(f.url, ":")+1:], "NODE_ENV=production",
		"REDIS_URL="+f.redis, "TRUSTED_PROXIES=127.0.0.1", "RATE_LIMIT_MAX_REQUESTS=0", "AUTH_RATE_LIMIT_MAX=0", "API_PRIVATE_PORT=0", "API_DRAIN_DELAY=300ms", "MEDIA_DIR="+f.t.TempDir(), "BCRYPT_ROUNDS=4", "JWT_SECRET_KEY=Zk3v9TqLw8yXr5Nc2Hs7Jd4Gf6Pb1Ma0QeUiOtRy")
	f.process = f.stage.start(cmd, "running")
}

func (f *front) logIn() {
	f.t.Helper()
	account := map[string]any{"name": "Admin", "email": "admin@example.com", "password": "correct horse"}
	if status, answer := f.post("/api/auth/register", "", account); status != http.StatusCreated {
		f.t.Fatalf("register: %d %s", status, answer)
	}
	_, answer := f.post("/api/auth/login", "", account)
	var login struct{ Token string }
	if err := json.Unmarshal(answer, &login); err != nil || login.Token == "" {
		f.t.Fatalf("login: %s", answer)
	}
	f.token = login.Token
}

// post returns status 0 when there was no answer.
func (f *front) post(path, key string, body any) (int, []byte) {
	text, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, f.url+path, bytes.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+f.token)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	request.Close = true
	response, err := (&http.Client{Timeout: 20 * time.Second}).Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	return response.StatusCode, answer
}

// schedule repeats one request until it is acknowledged, as a client does.
func (f *front) schedule(key string) bson.ObjectID {
	f.t.Helper()
	var id bson.ObjectID
	defer func() {
		if f.t.Failed() {
			f.t.Logf("the last answer was %s", f.answer)
		}
	}()
	f.eventually("the api acknowledges "+key, func() bool {
		status, answer := f.post("/api/system/jobs/schedule", key, map[string]any{
			"name": step.Name, "allowUnknown": true, "data": stepPayload{WaitMS: 20},
		})
		var ack struct{ Job struct{ ID bson.ObjectID } }
		done := status == http.StatusOK && json.Unmarshal(answer, &ack) == nil && !ack.Job.ID.IsZero()
		id = ack.Job.ID
		f.note(answer, done)
		return done
	})
	return id
}

// scheduleUntil enqueues all the time until the returned function is called,
// which returns the jobs that were acknowledged.
func (f *front) scheduleUntil(key string) (stop func() []bson.ObjectID) {
	const least = 20
	var ids []bson.ObjectID
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		pace := time.NewTicker(30 * time.Millisecond)
		defer pace.Stop()
		for open := true; open || len(ids) < least; {
			ids = append(ids, f.schedule(fmt.Sprint(key, "-job-", len(ids))))
			select {
			case <-done:
				open = false
			case <-pace.C:
			}
		}
	}()
	return func() []bson.ObjectID {
		close(done)
		<-ended
		return ids
	}
}

func (f *front) note(answer []byte, acknowledged bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = string(answer)
	if !acknowledged {
		f.refused++
	}
}

// refusesOne waits until a request was not acknowledged.
func (f *front) refusesOne() {
	f.t.Helper()
	refused := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.refused
	}
	before := refused()
	f.eventually("a request is refused", func() bool { return refused() > before })
}

// An acknowledged enqueue survives kill -9 of the api, the worker and the
// database, one by one and all at once. The kills fall at moments that nobody
// chose: the enqueues, the claims, the runs and the records go on all the time.
func TestAnAcknowledgedEnqueueSurvivesKills(t *testing.T) {
	t.Parallel()
	server := mongotest.NewServer(t)
	f := newFront(newStageOn(t, server.URI()))
	worker := f.spawn("worker")
	programs := func() {
		worker.kill()
		f.process.kill()
		f.start()
		worker = f.spawn("worker")
	}
	database := func() {
		server.Kill()
		f.refusesOne() // what comes now must not be acknowledged
		server.Start()
	}
	strikes := []func(){programs, database, func() {
		server.Kill()
		worker.kill()
		f.process.kill()
		server.Start()
		f.start()
		worker = f.spawn("worker")
	}}
	var ids []bson.ObjectID
	for round, strike := range slices.Repeat(strikes, 2) {
		before := f.count("effects", bson.D{})
		acknowledged := f.scheduleUntil(fmt.Sprintf("round-%d", round))
		// The killer strikes when some jobs of the round have started, at
		// another point of the work each time.
		f.eventually("jobs run", func() bool { return f.count("effects", bson.D{}) > before+int64(3*round) })
		strike()
		ids = append(ids, acknowledged()...)
	}
	f.eventually("every acknowledged job is done", func() bool { return f.unfinished() == 0 })
	f.checkOnce(ids, true)
	distinct := map[bson.ObjectID]bool{}
	for _, id := range ids {
		distinct[id] = true
	}
	if t.Logf("%d jobs", len(ids)); len(distinct) != len(ids) {
		t.Errorf("%d jobs for %d keys", len(distinct), len(ids))
	}
}
