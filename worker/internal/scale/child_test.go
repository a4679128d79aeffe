package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/ledger/mongoledger"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/expo"
	"github.com/etrainer/backend/pkg/push/fcm"
	"github.com/etrainer/backend/pkg/push/pushtest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/backupmongo"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
	backupjob "github.com/etrainer/backend/worker/internal/handlers/backup"
	"github.com/etrainer/backend/worker/internal/handlers/dailynotifications"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup"
	"github.com/etrainer/backend/worker/internal/handlers/examcleanup/examcleanupmongo"
	"github.com/etrainer/backend/worker/internal/handlers/nudgeinactive"
	"github.com/etrainer/backend/worker/internal/handlers/nudgeinactive/nudgeinactivemongo"
	"github.com/etrainer/backend/worker/internal/handlers/streaks"
	"github.com/etrainer/backend/worker/internal/handlers/streaks/streaksmongo"
	"github.com/etrainer/backend/worker/internal/handlers/studyreminders"
	"github.com/etrainer/backend/worker/internal/handlers/studyreminders/studyremindersmongo"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports/weeklyreportsmongo"
	"github.com/etrainer/backend/worker/internal/notify"
	"github.com/etrainer/backend/worker/internal/notify/notifymongo"
)

// childVariable makes this binary the process of one job.
const childVariable = "SCALE_CHILD"

// order is what such a process does.
type order struct {
	Job, URI, Dir       string
	FCM, FCMTokens, Key string
	Expo                string
	Now                 time.Time
}

// news is what it tells when it is done.
type news struct {
	Seconds float64
	PeakMB  float64 // of resident memory, in a million bytes
	Result  string  // as the run's record would have it
}

func beChild(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(o.URI))
	if err != nil {
		return err
	}
	handler, err := o.handler(client.Database("etrainer"))
	if err != nil {
		return err
	}
	one := &oneJob{name: handler.Definition().Name, tick: o.Now, ended: make(chan queue.Ending, 1)}
	r := runner.New(runner.Options{
		Store: one, Settings: noSettings{}, Registry: alone{}, Server: runner.LocalTime(time.Now), Handlers: []runner.Handler{handler},
		Host: "scale", PID: os.Getpid(),
	})
	ctx := context.Background()
	began := time.Now()
	if err := r.Start(ctx); err != nil {
		return err
	}
	ending := <-one.ended
	seconds := time.Since(began).Seconds()
	if err := r.Stop(ctx); err != nil {
		return err
	}
	if ending.Outcome != job.Succeeded {
		return fmt.Errorf("the run ended as %s: %s", ending.Outcome, ending.Error)
	}
	result, err := json.Marshal(job.PlainValue(ending.Result))
	if err != nil {
		return err
	}
	peak, err := peakMB()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(news{Seconds: seconds, PeakMB: peak, Result: string(result)})
}

// handler is put together as the worker does it.
func (o order) handler(db *mongo.Database) (runner.Handler, error) {
	now := func() time.Time { return o.Now }
	people := notifymongo.NewPeople(db)
	notifier := notify.New(mongoledger.New(db, now), o.courier(), notifymongo.New(db, now))
	switch o.Job {
	case catalog.DailyNotifications.Name:
		return dailynotifications.Job{People: people, Notifier: notifier, Zone: time.UTC, Now: now}.Handler(), nil
	case catalog.NudgeInactive.Name:
		return nudgeinactive.Job{Store: nudgeinactivemongo.New(db), People: people, Notifier: notifier, Zone: time.UTC, Now: now}.Handler(), nil
	case catalog.StudyReminders.Name:
		return studyreminders.Job{Store: studyremindersmongo.New(db), People: people, Notifier: notifier, Zone: time.UTC, Now: now}.Handler(), nil
	case catalog.Streaks.Name:
		return streaks.New(streaksmongo.New(db), time.UTC, now), nil
	case catalog.WeeklyReports.Name:
		return weeklyreports.New(weeklyreportsmongo.New(db), time.UTC, now), nil
	case catalog.ExamCleanup.Name:
		return examcleanup.New(examcleanup.Options{Store: examcleanupmongo.New(db), RetentionMonths: 6, Zone: time.UTC, Now: now}), nil
	case catalog.Backup.Name:
		store := dirstore.New(o.Dir)
		source := backupmongo.Of(db, mongodb.Capabilities{Engine: mongodb.EngineMongoDB, Version: "8.0.0", Topology: mongodb.TopologyStandalone})
		return backupjob.New(backupjob.Options{
			Source: source, Open: func() (backup.Store, error) { return store, nil }, Retention: backup.Retention{Daily: 1}, Now: now,
		}), nil
	}
	return runner.Handler{}, errors.New("no such job: " + o.Job)
}

// courier sends to the stand-ins, without the limits of the real services.
func (o order) courier() *push.Courier {
	account := fcm.Account{
		ProjectID: pushtest.ProjectID, ClientEmail: pushtest.ClientEmail, PrivateKey: config.Secret(o.Key), TokenURL: o.FCMTokens,
	}
	return push.NewCourier(
		push.NewSender(fcm.New(fcm.Options{Account: account, BaseURL: o.FCM}), push.SenderOptions{}),
		push.NewSender(expo.New(expo.Options{Env: expo.Env{BaseURL: o.Expo}}), push.SenderOptions{}),
	)
}

// peakMB is the most resident memory that this process has had.
func peakMB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("only Linux tells the memory of a process: %w", err)
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 64)
			return kilobytes * 1024 / 1e6, err
		}
	}
	return 0, errors.New("the system does not tell the peak of the memory")
}

// oneJob is a queue with one job, which is due.
type oneJob struct {
	name  string
	tick  time.Time
	given bool
	ended chan queue.Ending
}

func (o *oneJob) Lease(_ context.Context, r queue.LeaseRequest) (queue.Batch, error) {
	if o.given {
		return queue.Batch{}, nil
	}
	o.given = true
	document := &job.Document{ID: bson.NewObjectID(), Name: o.name, Type: job.Normal, NextRunAt: o.tick}
	return queue.Batch{Leases: []*queue.Lease{{
		Job: document, Tick: o.tick, Attempt: 1, StartedAt: time.Now(), Stamp: time.Now(), Holder: r.Holder, RunID: bson.NewObjectID(),
	}}}, nil
}

func (*oneJob) Open(context.Context, []*queue.Lease) error { return nil }
func (*oneJob) Renew(_ context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	for _, lease := range leases {
		lease.Stamp = time.Now()
	}
	return nil, nil
}

func (*oneJob) CancelRequested(context.Context, []*queue.Lease) ([]*queue.Lease, error) {
	return nil, nil
}
func (*oneJob) Report(context.Context, []queue.Ending) error { return nil }
func (o *oneJob) Record(_ context.Context, endings []queue.Ending) ([]error, error) {
	for _, ending := range endings {
		o.ended <- ending
	}
	return make([]error, len(endings)), nil
}

func (*oneJob) RecordRuns(context.Context, []queue.Ending) (int, error) { return 0, nil }

func (*oneJob) Rescue(context.Context, queue.RescueRequest) (queue.Rescued, error) {
	return queue.Rescued{}, nil
}

func (*oneJob) Reconcile(context.Context, string) error { return nil }

// noSettings is a controller with which nobody has set anything.
type noSettings struct{ queue.Controller }

func (noSettings) Settings(context.Context) (map[string]job.Settings, error) { return nil, nil }

// alone is a fleet of this process.
type alone struct{}

func (alone) Register(context.Context, fleet.Instance) error      { return nil }
func (alone) Beat(context.Context, fleet.Instance) error          { return nil }
func (alone) Leave(context.Context, string) error                 { return nil }
func (alone) Instances(context.Context) ([]fleet.Instance, error) { return nil, nil }
func (alone) Bury(context.Context, fleet.Instance) (bool, error)  { return false, nil }
