package measure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/process"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

const (
	clusterChildren = 2
	clusterRounds   = 9 // odd: the median is one of them
	clusterTime     = 2 * time.Second

	rollChildren = 3
	rollRounds   = 3
	rollTime     = 10 * time.Second // and until the roll is over
	rollClients  = 8
	rollPace     = 250 * time.Millisecond // of each client
	rollPatience = 2 * time.Minute
)

// started is a program of the product that runs.
type started struct {
	*process.Process
	program
}

// launch starts a program with some more settings, and waits until it serves.
func (b *Bench) launch(ctx context.Context, p program, settings ...string) (started, error) {
	if missing := p.missing(); missing != "" {
		return started{}, errors.New(missing)
	}
	running, err := process.Start(p.path, append(p.env, settings...)...)
	if err != nil {
		return started{}, err
	}
	if _, err := running.AwaitReady(ctx, p.url("/readyz")); err != nil {
		running.Stop()
		return started{}, err
	}
	return started{Process: running, program: p}, nil
}

// clusterOf are the settings of a parent.
func clusterOf(children int) []string {
	return []string{"ENABLE_CLUSTERING=true", "WORKER_COUNT=" + strconv.Itoa(children)}
}

// Cluster measures what a parent with two children answers beside one process,
// and what memory the parent adds.
func (b *Bench) Cluster(ctx context.Context) ([]report.Row, error) {
	var rows []report.Row
	err := b.with(ctx, func(db *engine.Database) error {
		if err := mongodb.PrepareSchema(ctx, db.Database(), ""); err != nil {
			return err
		}
		one, err := b.launchAPI(ctx, db)
		if err != nil {
			return err
		}
		defer one.Stop()
		many, err := b.launchAPI(ctx, db, clusterOf(clusterChildren)...)
		if err != nil {
			return err
		}
		defer many.Stop()
		if err := awaitChildren(ctx, many, clusterChildren); err != nil {
			return err
		}
		rows, err = b.takeTurns(ctx, one, many)
		rows = append(rows, parentMemory(many))
		return err
	})
	return rows, err
}

func (b *Bench) launchAPI(ctx context.Context, db *engine.Database, settings ...string) (started, error) {
	api, err := b.program("api", b.API, "PORT", db)
	if err != nil {
		return started{}, err
	}
	return b.launch(ctx, api, append(apiSettings(), settings...)...)
}

// awaitChildren waits until all children of a parent run.
func awaitChildren(ctx context.Context, parent started, n int) error {
	return until(ctx, func() bool { return len(parent.Children()) == n })
}

// takeTurns asks both in turn, so that other work on the machine slows both
// alike. What counts is the ratio within a round.
func (b *Bench) takeTurns(ctx context.Context, one, many started) ([]report.Row, error) {
	settings := fmt.Sprintf("GET /, wrk with %d connections over loopback, %d rounds of %s each in turn, on the same machine", httpConnections, clusterRounds, clusterTime)
	sides := [2]struct {
		of              started
		rates, p50, p99 report.Sample
		requests        int
		spent           float64 // seconds of the processors
	}{{of: one}, {of: many}}
	var ratios report.Sample
	for round := range clusterRounds + 1 { // the first is for warming up
		var rates [2]float64
		for turn := range sides {
			i := (turn + round) % 2 // neither is always the first
			before := sides[i].of.ProcessorTime()
			measured, err := loadFor(ctx, site{url: sides[i].of.url("")}, get("/"), clusterTime)
			if err != nil {
				return nil, err
			}
			rates[i] = measured.rate()
			if round > 0 {
				sides[i].rates = append(sides[i].rates, rates[i])
				sides[i].p50, sides[i].p99 = append(sides[i].p50, measured.p50), append(sides[i].p99, measured.p99)
				sides[i].requests += measured.requests
				sides[i].spent += sides[i].of.ProcessorTime() - before
			}
		}
		if round > 0 {
			ratios = append(ratios, rates[1]/rates[0])
			b.Say("round %d: one process %.0f requests/s, %d children %.0f requests/s", round, rates[0], clusterChildren, rates[1])
		}
	}
	row := func(what string, i int) report.Row {
		return report.Row{
			Section: "cluster", What: what, Value: sides[i].rates.Median(), Unit: "requests/s", Settings: settings,
			Note: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, %.0f µs of a processor for each",
				sides[i].p50.Median(), sides[i].p99.Median(), sides[i].spent*1e6/float64(sides[i].requests)),
		}
	}
	return []report.Row{
		row("one process", 0),
		row(fmt.Sprintf("%d children", clusterChildren), 1),
		{
			Section: "cluster", What: fmt.Sprintf("%d children / one process", clusterChildren), Value: ratios.Median(), Unit: "times",
			Note: ratios.Spread(), Target: report.AtLeast(0.95), Settings: settings + ", median of the rounds",
		},
	}, nil
}

// parentMemory is what would be free if the parent were not there: pages of the
// program are its children's as well.
func parentMemory(parent started) report.Row {
	row := report.Row{
		Section: "cluster", What: "parent, memory that it adds", Unit: "MB", Target: report.AtMost(15),
		Settings: fmt.Sprintf("bin/api after the load, %d children; pages that no other process has", clusterChildren),
	}
	m, err := parent.Memory()
	if err != nil {
		row.Failed = err.Error()
		return row
	}
	row.Value = m.Own
	row.Note = fmt.Sprintf("resident %.1f MB, most of it pages of the program that its children have too", m.Resident)
	return row
}

// Roll measures what requests feel of a rolling restart: a parent of three
// apis and one of three workers, under a load that the machine carries.
func (b *Bench) Roll(ctx context.Context) ([]report.Row, error) {
	var rows []report.Row
	err := b.with(ctx, func(db *engine.Database) error {
		if err := mongodb.PrepareSchema(ctx, db.Database(), ""); err != nil {
			return err
		}
		api, err := b.launchAPI(ctx, db, clusterOf(rollChildren)...)
		if err != nil {
			return err
		}
		defer api.Stop()
		worker, err := b.program("worker", b.Worker, "WORKER_PORT", db)
		if err != nil {
			return err
		}
		workers, err := b.launch(ctx, worker, append(clusterOf(rollChildren), "WORKER_HOST=127.0.0.1")...)
		if err != nil {
			return err
		}
		defer workers.Stop()
		for _, parent := range []started{api, workers} {
			if err := awaitChildren(ctx, parent, rollChildren); err != nil {
				return err
			}
		}
		s := site{url: api.url("")}
		if s.token, err = logIn(ctx, s.url); err != nil {
			return err
		}
		rows, err = b.rollUnderLoad(ctx, s, api, workers)
		return err
	})
	return rows, err
}

// paced is what the clients of a roll saw: times in milliseconds.
type paced struct {
	pages, jobs report.Sample // GET /, and POST …/jobs/schedule
	failed      int
}

func (p *paced) add(other paced) {
	p.pages, p.jobs, p.failed = append(p.pages, other.pages...), append(p.jobs, other.jobs...), p.failed+other.failed
}

// rollUnderLoad measures calm times and rolls in turn.
func (b *Bench) rollUnderLoad(ctx context.Context, s site, parents ...started) ([]report.Row, error) {
	var calm, rolling paced
	var took report.Sample
	for range rollRounds {
		enough, cancel := context.WithTimeout(ctx, rollTime)
		calm.add(pace(ctx, s, enough.Done()))
		cancel()

		over := make(chan struct{})
		var seconds float64
		var failure error
		go func() { defer close(over); seconds, failure = rollAll(ctx, parents) }()
		rolling.add(pace(ctx, s, over))
		if failure != nil {
			return nil, failure
		}
		took = append(took, seconds)
		b.Say("p99 of GET / so far: calm %.1f ms, rolling %.1f ms; the roll took %.1f s", calm.pages.Percentile(99), rolling.pages.Percentile(99), seconds)
	}
	settings := fmt.Sprintf("parents of %d apis and %d workers; %d clients, %.0f requests/s, a quarter of them POST of jobs that run; %d calm times of %s and %d rolls in turn",
		rollChildren, rollChildren, rollClients, float64(rollClients)/rollPace.Seconds(), rollRounds, rollTime, rollRounds)
	row := func(what string, value float64, unit, note string, target *report.Target) report.Row {
		return report.Row{Section: "roll", What: what, Value: value, Unit: unit, Note: note, Target: target, Settings: settings}
	}
	var rows []report.Row
	for _, kind := range []struct {
		what          string
		calm, rolling report.Sample
	}{{"GET /", calm.pages, rolling.pages}, {"POST /api/system/jobs/schedule", calm.jobs, rolling.jobs}} {
		p99 := func(when string, s report.Sample) report.Row {
			return row(kind.what+", p99 "+when, s.Percentile(99), "ms", fmt.Sprintf("p50 %.1f ms, %d requests", s.Percentile(50), len(s)), nil)
		}
		rows = append(rows, p99("without a roll", kind.calm), p99("during a roll", kind.rolling),
			row(kind.what+", p99 that a roll adds", kind.rolling.Percentile(99)-kind.calm.Percentile(99), "ms", "", report.AtMost(100)))
	}
	return append(rows,
		row("requests that failed", float64(calm.failed+rolling.failed), "", "", report.AtMost(0)),
		row("one roll of all", took.Median(), "s", took.Spread(), nil),
	), nil
}

// pace sends requests from some clients, each at its pace, until over is
// closed. A client that waits holds up no other.
func pace(ctx context.Context, s site, over <-chan struct{}) paced {
	transport := &http.Transport{MaxIdleConnsPerHost: rollClients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	seen := make([]paced, rollClients)
	for i := range rollClients {
		all.Go(func() {
			tick := time.NewTicker(rollPace)
			defer tick.Stop()
			for n := i; ; n++ {
				select {
				case <-over:
					return
				case <-tick.C:
				}
				c, into := get("/"), &seen[i].pages
				if n%4 == 0 {
					c, into = receipts, &seen[i].jobs
				}
				began := time.Now()
				if send(ctx, client, s, c) != nil {
					seen[i].failed++
				}
				*into = append(*into, milliseconds(time.Since(began)))
			}
		})
	}
	all.Wait()
	var merged paced
	for _, each := range seen {
		merged.add(each)
	}
	return merged
}

// rollAll rolls every parent at once, and returns how long it took until no
// child of before was left.
func rollAll(ctx context.Context, parents []started) (seconds float64, err error) {
	began := time.Now()
	before := make([]map[int]bool, len(parents))
	for i, parent := range parents {
		before[i] = map[int]bool{}
		for _, pid := range parent.Children() {
			before[i][pid] = true
		}
		if err := parent.Signal(syscall.SIGHUP); err != nil {
			return 0, fmt.Errorf("roll %s: %w", parent.name, err)
		}
	}
	err = within(ctx, rollPatience, func() bool {
		for i, parent := range parents {
			now := parent.Children()
			for _, pid := range now {
				if before[i][pid] {
					return false
				}
			}
			if len(now) != rollChildren {
				return false
			}
		}
		return true
	})
	return time.Since(began).Seconds(), err
}
