package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	httpTime        = 4 * time.Second
	httpRounds      = 5
	httpWarmUp      = time.Second
	httpBacklog     = 2700 // jobs queued when /health is asked
)

// site is a running HTTP server, ours or a rival; token is its administrator's,
// and metrics where it counts.
type site struct {
	name, url, token, metrics string
}

// HTTP measures requests over loopback: bin/api beside an Express server with
// the Node backend's middleware, taking turns. Then it counts what requests cost
// the database.
func (b *Bench) HTTP(ctx context.Context) ([]report.Row, error) {
	var rows []report.Row
	err := b.with(ctx, func(db *engine.Database) error {
		if err := mongodb.PrepareSchema(ctx, db.Database(), ""); err != nil {
			return err
		}
		err := b.withAPI(ctx, db, func(api site) error {
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
		if err != nil {
			return err
		}
		more, err := b.commands(ctx, db)
		rows = append(rows, more...)
		return err
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
	private, err := process.FreePort()
	if err != nil {
		return err
	}
	running, err := process.Start(api.path, slices.Concat(api.env, apiSettings(), []string{"API_PRIVATE_PORT=" + private})...)
	if err != nil {
		return err
	}
	defer running.Stop()
	if _, err := running.AwaitReady(ctx, api.url("/readyz")); err != nil {
		return err
	}
	s := site{name: "bin/api", url: api.url(""), metrics: "http://127.0.0.1:" + private + "/metrics"}
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

// compare measures both sides, taking turns, so that other work on the machine
// slows both alike: how many times as many requests ours answers, and how its
// slowest compare.
func (b *Bench) compare(ctx context.Context, what string, c call, api site, theirs rival, target float64) []report.Row {
	settings := fmt.Sprintf("wrk with %d connections over loopback, %d rounds of %s each in turn, on the same machine", httpConnections, httpRounds, httpTime)
	sides := []side{{site: api}, {site: theirs.site, failed: theirs.missing}}
	var ratios, slowest report.Sample
	for round := range httpRounds + 1 { // the first is for warming up
		for i := range sides {
			sides[i].measure(ctx, c, round > 0)
		}
		ours, rival := &sides[0], &sides[1]
		if round > 0 && ours.failed == "" && rival.failed == "" {
			ratios = append(ratios, ours.last.rate()/rival.last.rate())
			slowest = append(slowest, ours.last.p99/rival.last.p99)
			b.Say("%s: bin/api %.0f requests/s, p99 %.1f ms; Express %.0f requests/s, p99 %.1f ms",
				what, ours.last.rate(), ours.last.p99, rival.last.rate(), rival.last.p99)
		}
	}
	var rows []report.Row
	for _, s := range sides {
		if s.name != "" {
			rows = append(rows, s.row(what, settings))
		}
	}
	failed := sides[0].failed + sides[1].failed
	return append(rows, report.Row{
		Section: "http", What: what + ", bin/api / Express", Value: ratios.Median(), Unit: "times", Note: ratios.Spread(),
		Target: report.AtLeast(target), Failed: failed, Settings: settings + ", median of the rounds",
	}, report.Row{
		Section: "http", What: what + ", p99 of bin/api / Express", Value: slowest.Median(), Unit: "times", Note: slowest.Spread(),
		Target: report.AtMost(1), Failed: failed, Settings: settings + ", median of the rounds",
	})
}

// side is one of two that are compared. last is what its last turn measured.
type side struct {
	site
	failed          string
	rates, p50, p99 report.Sample
	last            load
}

func (s *side) measure(ctx context.Context, c call, counts bool) {
	if s.failed != "" {
		return
	}
	last, err := loadFor(ctx, s.site, c, httpTime)
	if err != nil {
		s.failed = "not measured: " + err.Error()
		return
	}
	s.last = last
	if counts {
		s.rates, s.p50, s.p99 = append(s.rates, last.rate()), append(s.p50, last.p50), append(s.p99, last.p99)
	}
}

func (s *side) row(what, settings string) report.Row {
	return report.Row{
		Section: "http", What: what + ", " + s.name, Value: s.rates.Median(), Unit: "requests/s", Failed: s.failed, Settings: settings,
		Note: fmt.Sprintf("%s, p50 %.1f ms, p99 %.1f ms", s.rates.Spread(), s.p50.Median(), s.p99.Median()),
	}
}

// healthByBacklog asks /health of an empty and of a full queue: it must not
// become slower.
func (b *Bench) healthByBacklog(ctx context.Context, db *engine.Database, api site) ([]report.Row, error) {
	settings := fmt.Sprintf("wrk with %d connections over loopback for %s; what is seen serves all who ask within a second", httpConnections, httpTime)
	if err := emptyQueue(ctx, db); err != nil {
		return nil, err
	}
	empty, failed := warmLoad(ctx, api, get("/health"))
	if err := fillQueue(ctx, db); err != nil {
		return nil, err
	}
	full, err := warmLoad(ctx, api, get("/health"))
	if failed = errors.Join(failed, err); failed != nil {
		return []report.Row{{Section: "http", What: "GET /health", Failed: "not measured: " + failed.Error(), Settings: settings}}, nil //nolint:nilerr // the row says it
	}
	return []report.Row{
		{Section: "http", What: "GET /health, empty queue", Value: empty.rate(), Unit: "requests/s", Note: fmt.Sprintf("p99 %.1f ms", empty.p99), Settings: settings},
		{Section: "http", What: fmt.Sprintf("GET /health, %d jobs queued", httpBacklog), Value: full.rate(), Unit: "requests/s", Note: fmt.Sprintf("p99 %.1f ms", full.p99), Settings: settings},
		{Section: "http", What: "GET /health, empty / full", Value: empty.rate() / full.rate(), Unit: "times", Target: report.AtMost(2), Settings: settings},
	}, nil
}

// warmLoad is loadFor after a warm-up.
func warmLoad(ctx context.Context, s site, c call) (load, error) {
	if _, err := loadFor(ctx, s, c, httpWarmUp); err != nil {
		return load{}, err
	}
	return loadFor(ctx, s, c, httpTime)
}

// emptyQueue removes all jobs. The embedded engine cannot delete as many as were
// scheduled by one command.
func emptyQueue(ctx context.Context, db *engine.Database) error {
	if err := db.Database().Collection(mongoqueue.DefaultCollection).Drop(ctx); err != nil {
		return fmt.Errorf("empty the queue: %w", err)
	}
	return mongodb.PrepareSchema(ctx, db.Database(), "")
}

// fillQueue queues the jobs of a long backlog.
func fillQueue(ctx context.Context, db *engine.Database) error {
	store, err := ours.NewStore(ctx, db)
	if err != nil {
		return err
	}
	requests, err := ours.Requests(httpBacklog)
	if err != nil {
		return err
	}
	_, err = store.Enqueue(ctx, requests...)
	return err
}
