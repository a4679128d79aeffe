package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/ours"
	"github.com/etrainer/backend/tools/bench/internal/report"
	"github.com/etrainer/backend/tools/bench/internal/rivals"
)

const (
	slots   = 50 // handlers at once, ours and the rivals'
	ourRuns = 3  // of which the median counts
	// runLimit bounds one run. Agenda 6 stands still at a backlog of 1,000 on
	// an engine without indexes: its lock queries take longer than its polls.
	runLimit = 30 * time.Second
)

var rivalSettings = rivals.Settings{Concurrency: slots, ProcessEvery: 200 * time.Millisecond}

// Backlogs are the sizes that are measured unless others are asked for.
var Backlogs = []int{300, 1000}

// work is one run through a backlog.
type work struct {
	seconds  float64
	commands float64
	failed   string  // why there is no result
	atLeast  float64 // seconds that it had when it was stopped
}

func (w work) rate(jobs int) float64 { return float64(jobs) / w.seconds }

// Throughput compares how fast a backlog of no-op jobs is worked off, and
// with how many commands: a bare loop over the driver, this worker, Agenda.
func (b *Bench) Throughput(ctx context.Context) ([]report.Row, error) {
	var rows []report.Row
	for _, jobs := range b.Backlogs {
		at, err := b.throughputAt(ctx, jobs)
		if err != nil {
			return rows, fmt.Errorf("backlog %d: %w", jobs, err)
		}
		rows = append(rows, at...)
	}
	return rows, nil
}

// contest holds the runs of each contestant on one backlog.
type contest struct {
	jobs           int
	loop, mine     []work
	rival6, rival5 work
}

// throughputAt lets the contestants take turns, so that whatever else the
// machine does meanwhile meets all of them.
func (b *Bench) throughputAt(ctx context.Context, jobs int) ([]report.Row, error) {
	c := contest{jobs: jobs}
	for i := range ourRuns {
		if err := b.attempt(ctx, jobs, "bare driver loop", b.bareLoop, &c.loop); err != nil {
			return nil, err
		}
		if err := b.attempt(ctx, jobs, "this worker", b.ourWork, &c.mine); err != nil {
			return nil, err
		}
		var err error
		switch i {
		case 0:
			c.rival6, err = b.rival(ctx, rivals.Agenda6, jobs)
		case 1:
			c.rival5, err = b.rival(ctx, rivals.Agenda5, jobs)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.rows(), nil
}

func (b *Bench) attempt(ctx context.Context, jobs int, what string, run func(context.Context, *engine.Database, int) (work, error), into *[]work) error {
	err := b.withBacklog(ctx, jobs, func(ctx context.Context, db *engine.Database) error {
		w, err := run(ctx, db, jobs)
		*into = append(*into, w)
		b.Say("backlog %d, %s: %s", jobs, what, w.say(jobs))
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (w work) say(jobs int) string {
	if w.failed != "" {
		return w.failed
	}
	return fmt.Sprintf("%.0f jobs/s, %.3f commands/job", w.rate(jobs), w.commands/float64(jobs))
}

// withBacklog fills a database with jobs, as Agenda 6 stores them.
func (b *Bench) withBacklog(ctx context.Context, jobs int, run func(context.Context, *engine.Database) error) error {
	return b.with(ctx, func(db *engine.Database) error {
		store, err := ours.NewStore(ctx, db)
		if err != nil {
			return err
		}
		requests, err := ours.Requests(jobs)
		if err != nil {
			return err
		}
		if _, err := store.Enqueue(ctx, requests...); err != nil {
			return fmt.Errorf("fill the queue: %w", err)
		}
		limited, cancel := context.WithTimeout(ctx, runLimit)
		defer cancel()
		return run(limited, db)
	})
}

// ourWork runs the product's worker from its start to the last outcome.
func (b *Bench) ourWork(ctx context.Context, db *engine.Database, jobs int) (work, error) {
	store, err := ours.NewStore(ctx, db)
	if err != nil {
		return work{}, err
	}
	worker, err := ours.New(db, store, ours.Options{
		Slots: slots, PerName: slots,
		Handler: ours.Handler(func(context.Context, runner.Job[ours.Payload]) {}),
	})
	if err != nil {
		return work{}, err
	}
	db.Counter.Reset()
	began := time.Now()
	if err := worker.Start(ctx); err != nil {
		return work{}, err
	}
	ended, err := worker.AwaitRecorded(ctx, jobs)
	w := work{seconds: ended.Sub(began).Seconds(), commands: float64(db.Counter.Total())}
	if err != nil {
		w = work{failed: unfinished(worker.Recorded(), jobs)}
	}
	return w, worker.Stop(ctx)
}

func (b *Bench) rival(ctx context.Context, version rivals.Agenda, jobs int) (w work, err error) {
	err = b.withBacklog(ctx, jobs, func(_ context.Context, db *engine.Database) error {
		settings := rivalSettings
		settings.Limit = runLimit
		result, err := b.Node.Run(ctx, version, db.URI, ours.Name, jobs, settings)
		switch {
		case err != nil:
			w = work{failed: "not measured: " + err.Error()}
		case !result.Finished:
			w = work{failed: unfinished(result.Completed, jobs), atLeast: runLimit.Seconds()}
		default:
			w = work{seconds: result.Milliseconds / 1000, commands: float64(result.Total())}
		}
		return nil
	})
	b.Say("backlog %d, %s: %s", jobs, version, w.say(jobs))
	return w, err
}

func unfinished(done, jobs int) string {
	return fmt.Sprintf("not finished: %d of %d in %s", done, jobs, runLimit)
}

func (c contest) rows() []report.Row {
	const loop, mine = "bare driver loop", "this worker"
	ourSettings := fmt.Sprintf("backlog %d, slots %d, per name %d, batch %d", c.jobs, slots, slots, runner.DefaultBatch)
	rows := c.contestant(loop, c.loop, fmt.Sprintf("backlog %d, batches of %d, no history", c.jobs, loopBatch))
	rows = append(rows, c.contestant(mine, c.mine, ourSettings)...)
	if c.jobs >= 1000 {
		rows[len(rows)-1].Target = report.AtMost(0.1)
	}
	rows = append(rows, c.ratio(loop, c.loop, report.AtLeast(1), ourSettings))
	for _, rival := range []struct {
		version rivals.Agenda
		work    work
		target  *report.Target
	}{{rivals.Agenda6, c.rival6, report.AtLeast(10)}, {rivals.Agenda5, c.rival5, nil}} {
		runs := []work{rival.work}
		rows = append(rows, c.contestant(rival.version.String(), runs, fmt.Sprintf("backlog %d, %s", c.jobs, rivalSettings))...)
		rows = append(rows, c.ratio(rival.version.String(), runs, rival.target, ourSettings))
	}
	return rows
}

// contestant is what one of them did: its rate and its commands.
func (c contest) contestant(what string, runs []work, settings string) []report.Row {
	rate := report.Row{Section: "throughput", What: what + ", jobs", Unit: "jobs/s", Settings: settings}
	commands := report.Row{Section: "throughput", What: what + ", commands", Unit: "per job", Settings: settings}
	var rates, perJob report.Sample
	for _, run := range runs {
		if run.failed != "" {
			rate.Failed, commands.Failed = run.failed, run.failed
			continue
		}
		rates = append(rates, run.rate(c.jobs))
		perJob = append(perJob, run.commands/float64(c.jobs))
	}
	rate.Value, rate.Note = rates.Median(), rates.Spread()
	commands.Value = perJob.Median()
	return []report.Row{rate, commands}
}

// ratio compares this worker's median rate with that of another contestant.
// Of one that did not finish, the time that it had is a lower bound.
func (c contest) ratio(other string, runs []work, target *report.Target, settings string) report.Row {
	row := report.Row{
		Section: "throughput", What: "this worker / " + other, Unit: "times", Target: target, Settings: settings,
	}
	var mine, theirs report.Sample
	for _, run := range c.mine {
		if run.failed != "" {
			row.Failed = "no ratio: " + run.failed
			return row
		}
		mine = append(mine, run.rate(c.jobs))
	}
	for _, run := range runs {
		switch {
		case run.atLeast > 0:
			row.Note = "or more: it did not finish"
			run.seconds = run.atLeast
		case run.failed != "":
			row.Failed = "no ratio: " + run.failed
			return row
		}
		theirs = append(theirs, run.rate(c.jobs))
	}
	row.Value = mine.Median() / theirs.Median()
	return row
}
