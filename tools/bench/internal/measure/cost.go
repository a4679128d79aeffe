package measure

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/process"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

// costTries is how often a cost is counted. The least counts: what an api does
// on its own, such as to say that it lives, comes on top now and then.
const costTries = 3

// knownFor is longer than an api remembers who a caller is.
const knownFor = 2500 * time.Millisecond

// commands counts what requests cost the database, which no noisy machine blurs.
func (b *Bench) commands(ctx context.Context, db *engine.Database) ([]report.Row, error) {
	var rows []report.Row
	err := b.withAPI(ctx, db, func(api site) error {
		known, err := least(ctx, api, func() error { return ask(ctx, api, post) }, nil)
		if err != nil {
			return err
		}
		unknown, err := least(ctx, api, func() error { return ask(ctx, api, post) }, func() error { return rest(ctx, knownFor) })
		rows = append(rows,
			known.row("POST /api/system/jobs/schedule, commands", "the caller is freshly known", 1),
			unknown.row("POST /api/system/jobs/schedule, commands", fmt.Sprintf("the caller was not seen for %s", knownFor), 2))
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := emptyQueue(ctx, db); err != nil {
		return nil, err
	}
	empty, err := b.pages(ctx, db)
	if err != nil {
		return nil, err
	}
	if err := fillQueue(ctx, db); err != nil {
		return nil, err
	}
	full, err := b.pages(ctx, db)
	what := "/health, /jobs/stats and /metrics, commands"
	return append(rows,
		empty.row(what, "a started api with no jobs", 0),
		full.row(what, fmt.Sprintf("a started api with %d jobs queued", httpBacklog), empty.total()),
	), err
}

// pages counts the commands of the pages that tell about jobs, each seen for the
// first time by an api.
func (b *Bench) pages(ctx context.Context, db *engine.Database) (cost, error) {
	var cheapest cost
	for range costTries {
		err := b.withAPI(ctx, db, func(api site) error {
			if err := ask(ctx, api, administrator("/api/system/performance")); err != nil { // the caller is known now
				return err
			}
			c, err := spent(ctx, api, func() error {
				for _, path := range []string{"/health", "/api/system/jobs/stats", "/api/system/metrics"} {
					if err := ask(ctx, api, administrator(path)); err != nil {
						return err
					}
				}
				return nil
			})
			cheapest = cheapest.orLess(c)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return cheapest, nil
}

// cost is how many commands of each name were sent.
type cost map[string]float64

func (c cost) total() (sum float64) {
	for _, n := range c {
		sum += n
	}
	return sum
}

// orLess returns the cheaper one; nil = none yet.
func (c cost) orLess(other cost) cost {
	if c == nil || other.total() < c.total() {
		return other
	}
	return c
}

// row has a target if most is one.
func (c cost) row(what, settings string, most float64) report.Row {
	row := report.Row{
		Section: "http", What: what, Value: c.total(), Unit: "commands",
		Settings: fmt.Sprintf("%s; the least of %d, by the api's own metrics", settings, costTries),
	}
	if most > 0 {
		row.Target = report.AtMost(most)
	}
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		notes = append(notes, fmt.Sprintf("%s %.0f", name, c[name]))
	}
	row.Note = strings.Join(notes, ", ")
	return row
}

// least counts what an action costs, a few times. before runs ahead of each.
func least(ctx context.Context, api site, action, before func() error) (cost, error) {
	var cheapest cost
	if err := action(); err != nil { // connections are open now, and the caller is known
		return nil, err
	}
	for range costTries {
		if before != nil {
			if err := before(); err != nil {
				return nil, err
			}
		}
		c, err := spent(ctx, api, action)
		if err != nil {
			return nil, err
		}
		cheapest = cheapest.orLess(c)
	}
	return cheapest, nil
}

// spent counts the commands of an action.
func spent(ctx context.Context, api site, action func() error) (cost, error) {
	before, err := process.Commands(ctx, api.metrics)
	if err != nil {
		return nil, err
	}
	if err := action(); err != nil {
		return nil, err
	}
	after, err := process.Commands(ctx, api.metrics)
	if err != nil {
		return nil, err
	}
	c := cost{}
	for name, n := range after {
		if n > before[name] {
			c[name] = n - before[name]
		}
	}
	return c, nil
}

func ask(ctx context.Context, api site, c call) error { return send(ctx, http.DefaultClient, api, c) }
