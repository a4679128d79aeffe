package main

import (
	"time"

	"github.com/etrainer/backend/pkg/ledger/mongoledger"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/limit/redislimit"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/expo"
	"github.com/etrainer/backend/pkg/push/fcm"
	"github.com/etrainer/backend/pkg/push/logpush"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/handlers/dailynotifications"
	"github.com/etrainer/backend/worker/internal/handlers/nudgeinactive"
	"github.com/etrainer/backend/worker/internal/handlers/nudgeinactive/nudgeinactivemongo"
	"github.com/etrainer/backend/worker/internal/handlers/pushreceipts"
	"github.com/etrainer/backend/worker/internal/handlers/studyreminders"
	"github.com/etrainer/backend/worker/internal/handlers/studyreminders/studyremindersmongo"
	"github.com/etrainer/backend/worker/internal/notify"
	"github.com/etrainer/backend/worker/internal/notify/notifymongo"
)

// notifying is the jobs that notify users, and the one that reads receipts.
func (p *program) notifying(client *mongodb.Client, clock *mongodb.ServerClock) []runner.Handler {
	db, zone := client.Database(), p.cfg.Zone()
	people, store := notifymongo.NewPeople(db), notifymongo.New(db, clock.Now)
	providers := p.pushProviders()
	notifier := notify.New(mongoledger.New(db, clock.Now), p.courier(providers), store)
	return []runner.Handler{
		dailynotifications.Job{People: people, Notifier: notifier, Zone: zone, Now: clock.Now}.Handler(),
		studyreminders.Job{
			Store: studyremindersmongo.New(db), People: people, Notifier: notifier, Zone: zone, Now: clock.Now,
		}.Handler(),
		nudgeinactive.Job{
			Store: nudgeinactivemongo.New(db), People: people, Notifier: notifier, Zone: zone, Now: clock.Now,
		}.Handler(),
		pushreceipts.Job{
			Reader: receiptsOf(providers), Store: store, Devices: store, Now: clock.Now,
		}.Handler(),
	}
}

// pushProviders are the services that PUSH_DRIVER asks for.
func (p *program) pushProviders() []push.Provider {
	if !p.cfg.SendsPush() {
		return []push.Provider{logpush.New(push.FCM, p.log), logpush.New(push.Expo, p.log)}
	}
	providers := []push.Provider{expo.New(expo.Options{Env: p.cfg.Expo})}
	if account, err := p.cfg.FCM.Account(); err == nil && p.cfg.FCM.Configured() { // Validate reports the error
		providers = append(providers, fcm.New(fcm.Options{Account: account, BaseURL: p.cfg.FCM.BaseURL, PerSecond: p.cfg.FCM.PerSecond}))
	}
	return providers
}

// courier puts each provider behind its limits, retries and breaker.
func (p *program) courier(providers []push.Provider) *push.Courier {
	options := push.SenderOptions{Metrics: push.NewMetrics(p.metrics), Log: p.log}
	senders := make([]*push.Sender, len(providers))
	for i, provider := range providers {
		if p.redis != nil { // else each process keeps the whole rate by itself
			store := limit.NewFallback(redislimit.New(p.redis), limit.NewMemory(time.Now), p.log)
			options.Limiter = push.NewSharedLimiter(store, provider.Name(), provider.Limits().PerSecond)
		}
		senders[i] = push.NewSender(provider, options)
	}
	return push.NewCourier(senders...)
}

// receiptsOf is the provider that gives receipts; nil = none does.
func receiptsOf(providers []push.Provider) push.ReceiptReader {
	for _, provider := range providers {
		if reader, ok := provider.(push.ReceiptReader); ok {
			return reader
		}
	}
	return nil
}
