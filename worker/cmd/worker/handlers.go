package main

import (
	"context"
	"errors"

	"github.com/etrainer/backend/pkg/ledger/mongoledger"
	"github.com/etrainer/backend/pkg/media/mediamongo"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/backupmongo"
	backupjob "github.com/etrainer/backend/worker/internal/handlers/backup"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup/examcleanupmongo"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck/indexcheckmongo"
	"github.com/etrainer/backend/worker/internal/handlers/orphanedmedia"
	"github.com/etrainer/backend/worker/internal/handlers/retention"
	"github.com/etrainer/backend/worker/internal/handlers/streaks"
	"github.com/etrainer/backend/worker/internal/handlers/streaks/streaksmongo"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports/weeklyreportsmongo"
	"github.com/etrainer/backend/worker/internal/notify/notifymongo"
)

// handlers is every job that this worker runs, each with its store.
func (p *program) handlers(client *mongodb.Client, clock *mongodb.ServerClock, store *mongoqueue.Store) []runner.Handler {
	db, zone := client.Database(), p.cfg.Zone()
	return append(p.notifying(client, clock), []runner.Handler{
		backupjob.New(backupjob.Options{
			Source: backupmongo.New(client, ""), Open: p.backups(client.Target()), Recipients: p.cfg.Backup.Keys(),
			Exclude: p.cfg.Backup.Excluded(), Retention: p.cfg.Backup.Retention(zone), Now: clock.Now,
		}),
		examcleanup.New(examcleanup.Options{
			Store: examcleanupmongo.New(db), RetentionMonths: p.cfg.ExamRetention, Zone: zone, Now: clock.Now,
		}),
		indexcheck.New(indexcheckmongo.New(db, client.Capabilities(), p.cfg.Collection), clock.Now),
		retention.New(p.retained(client, clock, store)...),
		orphanedmedia.New(orphanedmedia.Options{Sources: p.mediaStores(), Records: mediamongo.New(db), Now: clock.Now}),
		streaks.New(streaksmongo.New(db), zone, clock.Now),
		weeklyreports.New(weeklyreportsmongo.New(db), zone, clock.Now),
	}...)
}

var errFallbackBackup = errors.New("this worker works on the fallback database, since Atlas did not answer at its start: " +
	"a backup of it would count as the newest one, and remove older ones. Restart the worker when Atlas is back; " +
	`to back up the fallback database, empty the MONGODB_ATLAS_ variables, set BACKUP_DIR to another place and run "worker backup run"`)

// backups opens the place that keeps them, which is for those of the database
// that is meant.
func (p *program) backups(target mongodb.Target) func() (backup.Store, error) {
	if target.Fallback {
		return func() (backup.Store, error) { return nil, errFallbackBackup }
	}
	return p.cfg.Backup.Open
}

// retained is what is kept for a time only.
func (p *program) retained(client *mongodb.Client, clock *mongodb.ServerClock, store *mongoqueue.Store) []retention.Kind {
	kinds := []retention.Kind{
		{Name: "run records", Purge: func(ctx context.Context) (int64, error) { return store.PurgeRuns(ctx, store.Now()) }},
		{Name: "entries of the effect ledger", Purge: mongoledger.New(client.Database(), clock.Now).Purge},
		{Name: "push tickets", Purge: notifymongo.New(client.Database(), clock.Now).PurgeTickets},
	}
	if p.cfg.JobRetention == 0 { // finished jobs are kept for ever
		return kinds
	}
	return append(kinds, retention.Kind{Name: "finished jobs", Purge: func(ctx context.Context) (int64, error) {
		return store.PurgeFinished(ctx, store.Now().Add(-p.cfg.JobRetention))
	}})
}

func namesOf(handlers []runner.Handler) []string {
	names := make([]string, len(handlers))
	for i, handler := range handlers {
		names[i] = handler.Definition().Name
	}
	return names
}
