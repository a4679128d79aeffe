package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/migrations/internal/steps"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/version"
)

// settings are what migrate reads from its environment.
type settings struct {
	Environment string `env:"NODE_ENV" envDefault:"development" help:"where this runs; production logs JSON, at info level" example:"production" production:"production"`
	LogLevel    string `env:"LOG_LEVEL" help:"least level that is logged: debug, info, warn or error; default info, and debug for an api that is not in production" example:"warn"`
	Mongo       mongodb.Env
	Collection  string `env:"AGENDA_COLLECTION_NAME" envDefault:"agendaJobs" help:"collection of the jobs, shared with Node's Agenda" example:"etrainerJobs"`
	Timezone    string `env:"JOBS_TIMEZONE" envDefault:"Asia/Ho_Chi_Minh" help:"time zone of recurring jobs, of days and weeks, and of phrases such as \"tomorrow at noon\": an IANA name" example:"Europe/Berlin"`
}

// flags are those that the commands share.
type flags struct {
	nodeZone    string
	dropUseless bool
	wait        time.Duration
	connect     time.Duration
}

func (f *flags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.nodeZone, "node-zone", "UTC", "time zone of the clocks by which the Node processes ran recurring jobs")
	c.Flags().BoolVar(&f.dropUseless, "drop-useless", false, "also drop the Node backend's indexes that no query can use")
	c.Flags().DurationVar(&f.wait, "wait", migrate.DefaultWait, "how long to wait for another process that is migrating")
	c.Flags().DurationVar(&f.connect, "connect-timeout", time.Minute, "how long to wait for the database to answer")
}

// with connects, calls do and closes the connection.
func (f *flags) with(cmd *cobra.Command, tell func(string), do func(ctx context.Context, r *migrate.Runner) error) error {
	nodeZone, err := schedule.ParseZone(f.nodeZone)
	if err != nil {
		return fmt.Errorf("%w: --node-zone: %w", config.ErrConfig, err)
	}
	return connected(cmd, f.connect, func(ctx context.Context, s settings, client *mongodb.Client, log *slog.Logger) error {
		zone, err := schedule.ParseZone(s.Timezone)
		if err != nil {
			return fmt.Errorf("%w: JOBS_TIMEZONE: %w", config.ErrConfig, err)
		}
		clock := mongodb.NewServerClock(client, log)
		starting, cancel := context.WithTimeout(ctx, f.connect)
		defer cancel()
		if err := clock.Start(starting); err != nil {
			return err
		}
		defer func() { _ = clock.Stop(context.WithoutCancel(ctx)) }()
		return do(ctx, migrate.New(migrate.Target{
			DB: client.Database(), Capabilities: client.Capabilities(), Jobs: s.Collection,
			Zone: zone, NodeZone: nodeZone, DropUseless: f.dropUseless, Now: clock.Now,
		}, steps.All(s.Collection, catalog.ETrainer(s.Timezone).Recurring()), migrate.Options{
			Holder: holder(), Wait: f.wait, Log: log, Tell: tell,
		}))
	})
}

// connected reads the environment, connects, calls do and closes.
func connected(cmd *cobra.Command, within time.Duration, do func(context.Context, settings, *mongodb.Client, *slog.Logger) error) error {
	ctx := cmd.Context()
	var s settings
	if err := config.Load(&s, config.Options{}); err != nil {
		return err
	}
	log, err := logging.New(logging.Options{
		Level: s.LogLevel, Format: logging.FormatFor(s.Environment), Out: cmd.ErrOrStderr(), Service: "migrate", Version: version.Version,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", config.ErrConfig, err)
	}
	defer func() { _ = log.Flush() }() // there is nowhere to report it
	options, err := s.Mongo.Options("etrainer-migrate", nil, log.Logger)
	if err != nil {
		return err
	}
	connecting, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	client, err := mongodb.Connect(connecting, options.WithoutFallback())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close(context.WithoutCancel(ctx)) }()
	return do(ctx, s, client, log.Logger)
}

// holder names this process to those who wait for it.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s process %d, release %s", host, os.Getpid(), version.Version)
}
