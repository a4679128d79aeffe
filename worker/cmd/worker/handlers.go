package main

import (
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/backup/backupmongo"
	backupjob "github.com/etrainer/backend/worker/internal/handlers/backup"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup/examcleanupmongo"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck/indexcheckmongo"
	"github.com/etrainer/backend/worker/internal/handlers/streaks"
	"github.com/etrainer/backend/worker/internal/handlers/streaks/streaksmongo"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports/weeklyreportsmongo"
)

// handlers is every job that this worker runs, each with its store.
func (p *program) handlers(client *mongodb.Client, clock *mongodb.ServerClock) []runner.Handler {
	db, zone := client.Database(), p.cfg.Zone()
	return append(p.notifying(client, clock), []runner.Handler{
		backupjob.New(backupjob.Options{
			Source: backupmongo.New(client, ""), Open: p.cfg.Backup.Open, Recipients: p.cfg.Backup.Keys(),
			Exclude: p.cfg.Backup.Excluded(), Retention: p.cfg.Backup.Retention(zone), Now: clock.Now,
		}),
		examcleanup.New(examcleanup.Options{
			Store: examcleanupmongo.New(db), RetentionMonths: p.cfg.ExamRetention, Zone: zone, Now: clock.Now,
		}),
		indexcheck.New(indexcheckmongo.New(db, client.Capabilities(), p.cfg.Collection), clock.Now),
		streaks.New(streaksmongo.New(db), zone, clock.Now),
		weeklyreports.New(weeklyreportsmongo.New(db), zone, clock.Now),
	}...)
}

func namesOf(handlers []runner.Handler) []string {
	names := make([]string, len(handlers))
	for i, handler := range handlers {
		names[i] = handler.Definition().Name
	}
	return names
}
