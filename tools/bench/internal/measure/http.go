package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/ours"
	"github.com/etrainer/backend/tools/bench/internal/process"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

const (
	httpConnections = 32
	httpTime        = 5 * time.Second
	httpWarmUp      = time.Second
	httpBacklog     = 2700 // jobs queued when /health is asked
)

// site is a running HTTP server, ours or a rival.
type site struct {
	name, url, token string
}

// HTTP measures requests over loopback: bin/api beside an Express server with
// the Node backend's middleware, taking turns.
func (b *Bench) HTTP(ctx context.Context) ([]report.Row, error) {
	var rows []report.Row
	err := b.with(ctx, func(db *engine.Database) error {
		return b.withAPI(ctx, db, func(api site) error {
			theirs, err := b.express(ctx)
			if err != nil {
				return err
			}
			defer theirs.stop()
			rows = append(rows, b.compare(ctx, "GET /", get("/"), api, theirs, 8)...)
			rows = append(rows, b.compare(ctx, "POST /api/system/jobs/schedule", post, api, theirs, 5)...)
			more, err := b.healthByBacklog(ctx, db, api)
			rows = append(rows, more...)
			return err
		})
	})
	return rows, err
}

// withAPI runs bin/api on a database.
func (b *Bench) withAPI(ctx context.Context, db *engine.Database, measure func(site) error) error {
	api, err := b.program("api", b.API, "PORT", db)
	if err != nil {
		return err
	}
	if missing := api.missing(); missing != "" {
		return errors.New(missing)
	}
	if err := mongodb.PrepareSchema(ctx, db.Database(), ""); err != nil {
		return err
	}
	running, err := process.Start(api.path, append(api.env, apiSettings()...)...)
	if err != nil {
		return err
	}
	defer running.Stop()
	if _, err := running.AwaitReady(ctx, api.url("/readyz")); err != nil {
		return err
	}
	s := site{name: "bin/api", url: api.url("")}
	if s.token, err = logIn(ctx, s.url); err != nil {
		return err
	}
	return measure(s)
}

func logIn(ctx context.Context, url string) (string, error) {
	account := `{"name":"Bench","email":"bench@example.com","password":"correct horse"}`
	var answer struct{ Token string }
	for _, path := range []string{"/api/auth/register", "/api/auth/login"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, bytes.NewReader([]byte(account)))
		if err != nil {
			return "", err
		}
		request.Header.Set("Content-Type", "application/json")
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			return "", fmt.Errorf("log in: %w", err)
		}
		err = json.NewDecoder(reply.Body).Decode(&answer)
		_ = reply.Body.Close()
		if err != nil {
			return "", fmt.Errorf("log in: %w", err)
		}
	}
	if answer.Token == "" {
		return "", errors.New("log in: the answer has no token")
	}
	return answer.Token, nil
}

// rival is the Express server; missing says why there is none.
type rival struct {
	site
	missing string
	stop    func()
}

func (b *Bench) express(ctx context.Context) (rival, error) {
	db, err := b.Engine.Fresh(ctx)
	if err != nil {
		return rival{}, err
	}
	drop := func() { _ = db.Drop(context.WithoutCancel(ctx)) }
	port, err := process.FreePort()
	if err != nil {
		drop()
		return rival{}, err
	}
	token, stop, err := b.Node.Serve(ctx, db.URI, port)
	if err != nil {
		drop()
		return rival{missing: "not measured: " + err.Error(), stop: func() {}}, nil //nolint:nilerr // the row says it
	}
	return rival{
		site: site{name: "Express", url: "http://127.0.0.1:" + port, token: token},
		stop: func() { stop(); drop() },
	}, nil
}

// call makes one request of a kind.
type call func(ctx context.Context, s site) (*http.Request, error)

func get(path string) call {
	return func(ctx context.Context, s site) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	}
}

// post schedules a job; no worker runs beside it.
func post(ctx context.Context, s site) (*http.Request, error) {
	return schedule(ctx, s, `{"name":"generate weekly reports","data":{"week":"2025-08-04"},"when":"now"}`)
}

// receipts schedules a job that a worker does in no time.
func receipts(ctx context.Context, s site) (*http.Request, error) {
	return schedule(ctx, s, `{"name":"read push receipts","data":{},"when":"now"}`)
}

func schedule(ctx context.Context, s site, body string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/system/jobs/schedule", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	return request, nil
}

// compare measures both sides, and how many times as many requests ours
// answers.
func (b *Bench) compare(ctx context.Context, what string, c call, api site, theirs rival, target float64) []report.Row {
	settings := fmt.Sprintf("%d connections over loopback for %s, the load on the same machine", httpConnections, httpTime)
	sides := []site{api}
	if theirs.missing == "" {
		sides = append(sides, theirs.site)
	}
	var rows []report.Row
	rates := map[string]float64{}
	for _, side := range sides {
		rate, p50, p99, err := load(ctx, side, c)
		row := report.Row{Section: "http", What: what + ", " + side.name, Value: rate, Unit: "requests/s", Settings: settings}
		row.Note = fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", p50, p99)
		if err != nil {
			row.Failed = "not measured: " + err.Error()
		}
		rates[side.name] = rate
		rows = append(rows, row)
		b.Say("%s, %s: %.0f requests/s, p99 %.1f ms", what, side.name, rate, p99)
	}
	ratio := report.Row{
		Section: "http", What: what + ", bin/api / Express", Value: rates[api.name] / rates["Express"], Unit: "times",
		Target: report.AtLeast(target), Failed: theirs.missing, Settings: settings,
	}
	return append(rows, ratio)
}

// load sends requests from every connection, one after the other, and
// returns how many were answered in a second, and how soon.
func load(ctx context.Context, s site, c call) (rate, p50, p99 float64, err error) {
	transport := &http.Transport{MaxIdleConnsPerHost: httpConnections, MaxConnsPerHost: httpConnections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	if _, err := sendFor(ctx, client, s, c, httpWarmUp); err != nil {
		return 0, 0, 0, err
	}
	times, err := sendFor(ctx, client, s, c, httpTime)
	return float64(len(times)) / httpTime.Seconds(), times.Percentile(50), times.Percentile(99), err
}

func sendFor(ctx context.Context, client *http.Client, s site, c call, during time.Duration) (report.Sample, error) {
	deadline := time.Now().Add(during)
	var all sync.WaitGroup
	samples := make([]report.Sample, httpConnections)
	failures := make([]error, httpConnections)
	for i := range httpConnections {
		all.Go(func() {
			for time.Now().Before(deadline) && failures[i] == nil {
				began := time.Now()
				failures[i] = send(ctx, client, s, c)
				samples[i] = append(samples[i], milliseconds(time.Since(began)))
			}
		})
	}
	all.Wait()
	var merged report.Sample
	for _, sample := range samples {
		merged = append(merged, sample...)
	}
	return merged, errors.Join(failures...)
}

func send(ctx context.Context, client *http.Client, s site, c call) error {
	request, err := c(ctx, s)
	if err != nil {
		return err
	}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s answered %s", request.Method, request.URL.Path, reply.Status)
	}
	return nil
}

// healthByBacklog asks /health of an empty and of a full queue: it must not
// become slower.
func (b *Bench) healthByBacklog(ctx context.Context, db *engine.Database, api site) ([]report.Row, error) {
	settings := fmt.Sprintf("%d connections over loopback for %s; what is seen serves all who ask within a second", httpConnections, httpTime)
	store, err := ours.NewStore(ctx, db)
	if err != nil {
		return nil, err
	}
	if _, err := db.Database().Collection(mongoqueue.DefaultCollection).DeleteMany(ctx, struct{}{}); err != nil {
		return nil, fmt.Errorf("empty the queue: %w", err)
	}
	empty, _, emptyP99, err := load(ctx, api, get("/health"))
	if err != nil {
		return nil, err
	}
	requests, err := ours.Requests(httpBacklog)
	if err != nil {
		return nil, err
	}
	if _, err := store.Enqueue(ctx, requests...); err != nil {
		return nil, err
	}
	full, _, fullP99, err := load(ctx, api, get("/health"))
	if err != nil {
		return nil, err
	}
	return []report.Row{
		{Section: "http", What: "GET /health, empty queue", Value: empty, Unit: "requests/s", Note: fmt.Sprintf("p99 %.1f ms", emptyP99), Settings: settings},
		{Section: "http", What: fmt.Sprintf("GET /health, %d jobs queued", httpBacklog), Value: full, Unit: "requests/s", Note: fmt.Sprintf("p99 %.1f ms", fullP99), Settings: settings},
		{Section: "http", What: "GET /health, empty / full", Value: empty / full, Unit: "times", Target: report.AtMost(2), Settings: settings},
	}, nil
}
