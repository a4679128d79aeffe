package promises

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// rollout is the product at work: nginx, three apis, three workers, a Redis
// of its own, and clients that enqueue all the time.
type rollout struct {
	*stage
	nginx   *edgetest.Nginx
	apis    []*front
	workers []*child
	redis   *redisServer

	mu      sync.Mutex
	ids     map[string]bson.ObjectID // of acknowledged jobs, by idempotency key
	refused []string                 // answers that were neither an acknowledgement nor cut off by a kill
	cut     atomic.Int64             // requests that had to be repeated
}

const replicas = 3

// TestNothingIsLostInARollout replaces every process twice, kills one of each
// with kill -9, and restarts Redis, while jobs of up to five seconds are
// enqueued over HTTP. Every acknowledged job runs; none is recorded twice; no
// request fails, except those under the kill, which are repeated with their
// Idempotency-Key and make one job.
func TestNothingIsLostInARollout(t *testing.T) {
	t.Parallel()
	edgetest.NeedsNginx(t)
	r := newRollout(t)
	stop := r.enqueueAllTheTime(4)

	for range 2 {
		for i := range replicas {
			r.rollAPI(i)
			r.rollWorker(i)
		}
	}
	if n := r.cut.Load(); n > 0 {
		t.Errorf("%d requests failed while processes were replaced in order", n)
	}
	r.redis.restart()
	r.workers[0].kill()
	r.workers[0] = r.spawn("worker")
	r.apis[0].process.kill()
	r.awaitAcknowledged(20) // goes on without it
	r.apis[0].start()
	r.awaitAcknowledged(20)
	stop()

	t.Logf("%d jobs acknowledged, %d requests repeated after a kill", len(r.ids), r.cut.Load())
	for _, answer := range r.refused {
		t.Errorf("a request was refused: %s", answer)
	}
	r.eventually("every acknowledged job is done", func() bool { return r.unfinished() == 0 })
	ids := make([]bson.ObjectID, 0, len(r.ids))
	distinct := map[bson.ObjectID]bool{}
	for _, id := range r.ids {
		ids = append(ids, id)
		distinct[id] = true
	}
	if len(distinct) != len(r.ids) {
		t.Errorf("%d jobs for %d keys", len(distinct), len(r.ids))
	}
	r.checkOnce(ids, true)
}

func newRollout(t *testing.T) *rollout {
	r := &rollout{stage: newStage(t), ids: map[string]bson.ObjectID{}}
	r.redis = startRedis(t)
	first := newFrontOn(r.stage, r.redis.url)
	r.apis = append(r.apis, first)
	for range replicas - 1 {
		next := &front{stage: r.stage, url: "http://127.0.0.1:" + edgetest.FreePort(t), token: first.token, redis: r.redis.url}
		next.start()
		r.apis = append(r.apis, next)
	}
	for range replicas {
		r.workers = append(r.workers, r.spawn("worker"))
	}
	var addresses []string
	for _, api := range r.apis {
		addresses = append(addresses, api.url[len("http://"):])
	}
	r.nginx = edgetest.Start(t, addresses)
	return r
}

// enqueueAllTheTime runs some clients until the returned function is called.
// Together they stay below the limit of the edge for one address.
func (r *rollout) enqueueAllTheTime(clients int) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	for c := range clients {
		client := r.nginx.Client()
		running.Go(func() {
			pace := time.NewTicker(time.Duration(clients) * 150 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				case <-pace.C:
					r.enqueueOne(client, fmt.Sprintf("client-%d-job-%d", c, n), pace.C)
				}
			}
		})
	}
	return func() {
		close(done)
		running.Wait()
	}
}

// enqueueOne sends a request. When it gets no answer, or is told that nobody
// can answer, it repeats the request with its next turn.
func (r *rollout) enqueueOne(client *http.Client, key string, pace <-chan time.Time) {
	body, err := json.Marshal(map[string]any{
		"name": step.Name, "allowUnknown": true, "data": stepPayload{WaitMS: int(5000 * rand.Float64() * rand.Float64())},
	})
	if err != nil {
		r.t.Error(err)
		return
	}
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		status, answer := r.send(client, key, body)
		var ack struct{ Job struct{ ID bson.ObjectID } }
		switch {
		case status == http.StatusOK && json.Unmarshal(answer, &ack) == nil && !ack.Job.ID.IsZero():
			r.mu.Lock()
			r.ids[key] = ack.Job.ID
			r.mu.Unlock()
			return
		case status == 0, status == http.StatusServiceUnavailable, status == http.StatusBadGateway:
			r.cut.Add(1)
			r.t.Logf("%s: %d %s", key, status, answer)
			<-pace
		default:
			r.mu.Lock()
			r.refused = append(r.refused, fmt.Sprintf("%d %s", status, answer))
			r.mu.Unlock()
			return
		}
	}
	r.t.Errorf("%s was never acknowledged", key)
}

func (r *rollout) send(client *http.Client, key string, body []byte) (int, []byte) {
	request, err := http.NewRequest(http.MethodPost, r.nginx.URL+"/api/system/jobs/schedule", bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+r.apis[0].token)
	request.Header.Set("Idempotency-Key", key)
	reply, err := client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = reply.Body.Close() }()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(reply.Body); err != nil {
		return 0, nil
	}
	return reply.StatusCode, answer.Bytes()
}

func (r *rollout) acknowledged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}

// awaitAcknowledged waits for some more jobs.
func (r *rollout) awaitAcknowledged(more int) {
	r.t.Helper()
	from := r.acknowledged()
	r.eventually("jobs are acknowledged", func() bool { return r.acknowledged() >= from+more })
}

// rollAPI replaces one api in order, as an orchestrator does.
func (r *rollout) rollAPI(i int) {
	r.t.Helper()
	r.apis[i].process.terminate()
	r.awaitAcknowledged(2)
	r.apis[i].start()
	r.awaitAcknowledged(2)
}

// rollWorker replaces one worker in order: the new one first.
func (r *rollout) rollWorker(i int) {
	r.t.Helper()
	next := r.spawn("worker")
	r.workers[i].stop()
	r.workers[i] = next
}

// redisServer is a Redis that can be restarted on its port.
type redisServer struct {
	t         *testing.T
	url, port string
	process   *edgetest.Process
}

// startRedis starts the real Redis where it is installed; elsewhere the
// embedded one serves, which cannot be restarted.
func startRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Log("redis-server is not installed: Redis is not restarted in this run")
		return &redisServer{t: t, url: mongotest.RedisURL(t)}
	}
	r := &redisServer{t: t, port: edgetest.FreePort(t)}
	r.url = "redis://127.0.0.1:" + r.port + "/0"
	r.start()
	return r
}

func (r *redisServer) start() {
	r.t.Helper()
	log := filepath.Join(r.t.TempDir(), "redis.log")
	cmd := exec.Command("redis-server", "--port", r.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--logfile", log)
	cmd.Dir = os.TempDir()
	r.process = edgetest.Run(r.t, cmd)
}

func (r *redisServer) restart() {
	r.t.Helper()
	if r.process == nil {
		return
	}
	r.process.Stop()
	r.start()
}
