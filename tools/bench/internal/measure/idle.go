package measure

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/process"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

const (
	startRuns  = 5
	idleSettle = 65 * time.Second // after a start, as after a wake-up, peers are watched closely for a minute
	idleWindow = 75 * time.Second
)

// program is one of the product's binaries.
type program struct {
	name, path string
	port       string
	env        []string
}

// Idle measures the product's own binaries while there is nothing to do: how
// soon they are ready, what they cost the database, what memory they hold.
func (b *Bench) Idle(ctx context.Context) ([]report.Row, error) {
	var rows []report.Row
	err := b.with(ctx, func(db *engine.Database) error {
		worker, err := b.program("worker", b.Worker, "WORKER_PORT", db)
		if err != nil {
			return err
		}
		worker.env = append(worker.env, "WORKER_HOST=127.0.0.1")
		api, err := b.program("api", b.API, "PORT", db)
		if err != nil {
			return err
		}
		if err := mongodb.PrepareSchema(ctx, db.Database(), ""); err != nil {
			return err
		}
		api.env = append(api.env, apiSettings()...)
		for _, p := range []program{worker, api} {
			rows = append(rows, b.starts(ctx, p))
		}
		more, err := b.rest(ctx, worker, api)
		rows = append(rows, more...)
		return err
	})
	return rows, err
}

// apiSettings are what the api needs beside its address and the database: a
// secret, and limits that are counted and never reached.
func apiSettings() []string {
	secret := make([]byte, 48)
	_, _ = rand.Read(secret) // never fails
	return []string{
		"JWT_SECRET_KEY=" + base64.StdEncoding.EncodeToString(secret), "API_PRIVATE_PORT=0",
		"RATE_LIMIT_MAX_REQUESTS=1000000", "AUTH_RATE_LIMIT_MAX=1000000", "RATE_LIMIT_WINDOW_MS=30000",
	}
}

func (b *Bench) program(name, path, portVariable string, db *engine.Database) (program, error) {
	port, err := process.FreePort()
	return program{name: name, path: path, port: port, env: []string{
		"NODE_ENV=production", "LOG_LEVEL=info", "MONGODB_URI=" + db.URI, "REDIS_URL=" + b.Engine.RedisURL, portVariable + "=" + port,
	}}, err
}

func (p program) url(path string) string { return "http://127.0.0.1:" + p.port + path }

// missing tells why a program cannot be measured, or "".
func (p program) missing() string {
	if _, err := os.Stat(p.path); p.path == "" || err != nil {
		return "not measured: there is no bin/" + p.name + "; run make build"
	}
	return ""
}

// starts measures the time from the start of the process to the first 200 of
// /readyz. The first start, which also makes the indexes, does not count.
func (b *Bench) starts(ctx context.Context, p program) report.Row {
	row := report.Row{
		Section: "idle", What: p.name + ", start to ready", Unit: "ms", Target: report.AtMost(300), Failed: p.missing(),
		Settings: fmt.Sprintf("bin/%s, median of %d starts after a first one; database and Redis up", p.name, startRuns),
	}
	if row.Failed != "" {
		return row
	}
	var times report.Sample
	for i := range startRuns + 1 {
		took, err := startOnce(ctx, p)
		if err != nil {
			row.Failed = "not measured: " + err.Error()
			return row
		}
		if i > 0 {
			times = append(times, milliseconds(took))
		}
	}
	row.Value, row.Note = times.Median(), times.Spread()
	b.Say("%s: ready after %.0f ms", p.name, row.Value)
	return row
}

func startOnce(ctx context.Context, p program) (time.Duration, error) {
	running, err := process.Start(p.path, p.env...)
	if err != nil {
		return 0, err
	}
	defer running.Stop()
	return running.AwaitReady(ctx, p.url("/readyz"))
}

// rest runs both programs side by side and leaves them alone.
func (b *Bench) rest(ctx context.Context, worker, api program) ([]report.Row, error) {
	commands := report.Row{
		Section: "idle", What: "worker, commands", Unit: "per minute", Target: report.AtMost(15), Failed: worker.missing(),
		Settings: fmt.Sprintf("bin/worker as shipped, %s after %s of rest; Redis wake-ups on; the driver's monitoring of the server not counted", idleWindow, idleSettle),
	}
	memory := map[string]*report.Row{}
	running := map[string]*process.Process{}
	for _, p := range []program{worker, api} {
		memory[p.name] = &report.Row{
			Section: "idle", What: p.name + ", resident memory", Unit: "MB", Target: report.AtMost(40), Failed: p.missing(),
			Settings: fmt.Sprintf("bin/%s as shipped, VmRSS at the end of the same time", p.name),
		}
		if p.missing() != "" {
			continue
		}
		started, err := process.Start(p.path, p.env...)
		if err != nil {
			return nil, err
		}
		defer started.Stop()
		if _, err := started.AwaitReady(ctx, p.url("/readyz")); err != nil {
			memory[p.name].Failed = "not measured: " + err.Error()
			continue
		}
		running[p.name] = started
	}
	var err error
	if running["worker"] != nil {
		b.Say("the programs rest for %s", idleSettle+idleWindow)
		err = countCommands(ctx, worker, &commands)
	}
	for name, p := range running {
		m, err := p.Memory()
		memory[name].Value = m.Resident
		if err != nil {
			memory[name].Failed = err.Error()
		}
	}
	return []report.Row{commands, *memory["worker"], *memory["api"]}, err
}

// countCommands reads the count before and after the window.
func countCommands(ctx context.Context, worker program, row *report.Row) error {
	if err := rest(ctx, idleSettle); err != nil {
		return err
	}
	before, err := process.Commands(ctx, worker.url("/metrics"))
	if err != nil {
		row.Failed = err.Error()
		return nil //nolint:nilerr // the row says it
	}
	if err := rest(ctx, idleWindow); err != nil {
		return err
	}
	after, err := process.Commands(ctx, worker.url("/metrics"))
	if err != nil {
		return errors.Join(errors.New("the worker's metrics were there and are gone"), err)
	}
	var total float64
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if n := after[name] - before[name]; n > 0 {
			total += n
			notes = append(notes, fmt.Sprintf("%s %.1f", name, n/idleWindow.Minutes()))
		}
	}
	row.Value, row.Note = total/idleWindow.Minutes(), strings.Join(notes, ", ")
	return nil
}
