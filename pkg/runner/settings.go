package runner

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	// settingsAge is how old settings may be when something is leased.
	settingsAge = 30 * time.Second
	// settingsCollection is where settings lie, for the problems that are told.
	settingsCollection = "agendaSettings"
)

// refreshSettings reads the settings when they are old. It fails as long as
// they have never been read: a name that an operator has paused must not run
// because nobody knows of it. Later the last known ones stand.
func (f *fetcher) refreshSettings(ctx context.Context) error {
	now := f.options.Clock.Now()
	if !f.settingsStale.Swap(false) && now.Sub(f.settingsAt) < settingsAge && f.settings != nil {
		return nil
	}
	reading, cancel := context.WithTimeoutCause(ctx, leaseTimeout, errLeaseTimeout)
	defer cancel()
	settings, err := f.options.Settings.Settings(reading)
	if err == nil {
		f.settings, f.settingsAt, f.unreadable = settings, now, false
		f.apply(ctx, settings)
		return nil
	}
	f.settingsStale.Store(true)
	if f.settings == nil {
		err = fmt.Errorf("nothing is leased before the settings were read: %w", err)
	}
	if !f.unreadable && ctx.Err() == nil {
		f.unreadable = true
		f.options.Log.ErrorContext(ctx, "settings not read; the last known ones stand, and without any nothing is leased", slog.Any("error", err))
	}
	f.options.Problems.Report(ctx, queue.Problem{
		Collection: settingsCollection, ID: "every document",
		What: "this worker cannot read the settings of the job names",
		Fix:  "let the worker's database user read this collection; the log of the worker has the error",
	})
	if f.settings == nil {
		return err
	}
	return nil
}

// apply acts on fresh settings.
func (f *fetcher) apply(ctx context.Context, settings map[string]job.Settings) {
	f.setRetries(settings)
	for name := range f.handlers {
		f.places.changed(name, settings[name].Concurrency)
	}
	for name, s := range settings {
		for _, problem := range s.Problems {
			f.options.Problems.Report(ctx, queue.Problem{
				Collection: settingsCollection, ID: name, Name: name, What: problem,
				Fix: "set it again through the api, or correct the document; until then it counts as absent",
			})
		}
		if s.Schedule != nil && s.Schedule.Problem != "" {
			f.options.Problems.Report(ctx, queue.Problem{
				Collection: settingsCollection, ID: name, Name: name, What: s.Schedule.Problem,
				Fix: "set the schedule again through the api; until then the last good one stands",
			})
		}
	}
}

// setRetries publishes the retry policies that operators have set.
func (r *Runner) setRetries(settings map[string]job.Settings) {
	retries := map[string]job.Retry{}
	for name, s := range settings {
		if s.Retry != nil {
			retries[name] = *s.Retry
		}
	}
	r.retries.Store(&retries)
}

// retryOf is the policy of a name: what an operator has set, or its definition.
func (r *Runner) retryOf(name string) job.Retry {
	if set := r.retries.Load(); set != nil {
		if override, ok := (*set)[name]; ok {
			return override
		}
	}
	return r.handlers[name].definition.Retry
}
