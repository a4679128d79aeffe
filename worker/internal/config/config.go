// Package config is the configuration of the worker.
package config

import (
	"errors"
	"strconv"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/push/expo"
	"github.com/etrainer/backend/pkg/push/fcm"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/worker/internal/backup/backupenv"
)

// Config is everything that the worker reads from its environment.
type Config struct {
	Environment string `env:"NODE_ENV" envDefault:"development" help:"where this runs; production logs JSON, at info level" example:"production" production:"production"`
	LogLevel    string `env:"LOG_LEVEL" help:"least level that is logged: debug, info, warn or error; default info, and debug for an api that is not in production" example:"warn"`

	Cluster supervise.Env
	Mongo   mongodb.Env
	Redis   redis.Env

	Port            int           `env:"WORKER_PORT" envDefault:"9091" help:"private port of /livez, /readyz, /metrics and /log-level; 0 = any free one" unit:"port" example:"9191"`
	Host            string        `env:"WORKER_HOST" help:"address that the private port listens on; default every interface" example:"127.0.0.1"`
	Slots           int           `env:"WORKER_CONCURRENCY" envAlias:"AGENDA_MAX_CONCURRENCY" envDefault:"20" help:"handlers that run at once in one process" unit:"handlers" example:"50"`
	PerName         int           `env:"WORKER_JOB_CONCURRENCY" envAlias:"AGENDA_DEFAULT_CONCURRENCY" envDefault:"5" help:"handlers of one job name that run at once in one process, unless the job says otherwise" unit:"handlers" example:"10"`
	PollInterval    Interval      `env:"WORKER_POLL_INTERVAL" envAlias:"AGENDA_PROCESS_EVERY" envDefault:"5s" help:"longest time between looks at the queue while wake-ups by Redis cannot arrive" unit:"ms, s, m or h" example:"2s"`
	IdleInterval    time.Duration `env:"WORKER_IDLE_INTERVAL" envDefault:"15s" help:"longest time between looks while they can; jobs that Node enqueues are found by these" example:"30s"`
	Beats           Beats
	ShutdownTimeout time.Duration `env:"WORKER_SHUTDOWN_TIMEOUT" envDefault:"30s" help:"how long running jobs may take to finish after SIGTERM before they are cancelled and handed back" example:"2m"`

	Collection   string        `env:"AGENDA_COLLECTION_NAME" envDefault:"agendaJobs" help:"collection of the jobs, shared with Node's Agenda" example:"etrainerJobs"`
	Timezone     string        `env:"JOBS_TIMEZONE" envDefault:"Asia/Ho_Chi_Minh" help:"time zone of recurring jobs, of days and weeks, and of phrases such as \"tomorrow at noon\": an IANA name" example:"Europe/Berlin"`
	RunRetention time.Duration `env:"RUN_RETENTION" envDefault:"720h" help:"how long the records of runs are kept" example:"2160h"`
	JobRetention time.Duration `env:"JOB_RETENTION" envDefault:"720h" help:"how long one-off jobs stay after they completed or were cancelled, an hour or more; 0 = for ever. Failed and recurring jobs always stay" example:"168h"`

	ExamRetention int `env:"EXAM_HISTORY_RETENTION_MONTHS" envDefault:"6" help:"age at which \"cleanup old exam histories\" moves exam results to the collection examhistories_archive; 3 or more" unit:"months" example:"12"`

	PushDriver string `env:"PUSH_DRIVER" help:"what happens to push messages: live = they are sent, log = they are written to the log; default live in production, else log; docs/push.md" example:"log"`
	Expo       expo.Env
	FCM        fcm.Env

	Disk  localdisk.Env
	Cloud cloudinary.Env

	Backup backupenv.Env
}

// Zone is Timezone, loaded; UTC when it is none, which Validate reports.
func (c Config) Zone() *time.Location {
	zone, err := schedule.ParseZone(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Validate reports every mistake, as config.Problem joined.
func (c Config) Validate() error {
	database, err := c.Mongo.Options("", nil, nil)
	return errors.Join(
		err,
		database.Validate(),
		config.LogLevel("LOG_LEVEL", c.LogLevel),
		c.checkRedis(),
		c.Backup.Validate(),
		c.checkPush(),
		c.Cloud.Validate(),
		c.checkZone(),
		config.AtLeast("WORKER_CONCURRENCY", c.Slots, 1),
		config.AtLeast("WORKER_JOB_CONCURRENCY", c.PerName, 1),
		config.Lasts("WORKER_POLL_INTERVAL", time.Duration(c.PollInterval), 100*time.Millisecond),
		config.Lasts("WORKER_IDLE_INTERVAL", c.IdleInterval, 100*time.Millisecond),
		c.Beats.Validate(),
		config.Lasts("WORKER_SHUTDOWN_TIMEOUT", c.ShutdownTimeout, time.Second),
		config.Lasts("RUN_RETENTION", c.RunRetention, time.Hour),
		c.checkJobRetention(),
		config.AtLeast("EXAM_HISTORY_RETENTION_MONTHS", c.ExamRetention, catalog.MinExamRetentionMonths),
		c.checkPort(),
	)
}

func (c Config) checkJobRetention() error {
	if c.JobRetention == 0 {
		return nil
	}
	return config.Lasts("JOB_RETENTION", c.JobRetention, time.Hour)
}

func (c Config) checkRedis() error {
	if _, err := c.Redis.Options(); err != nil {
		return config.Problem{Variable: "REDIS_URL", Fault: "is not a Redis address", Mend: "write it as redis://:password@host:6379/0"}
	}
	return nil
}

// SendsPush reports whether push messages leave, and do not just go to the log.
func (c Config) SendsPush() bool {
	return c.PushDriver == "live" || c.PushDriver == "" && c.Environment == "production"
}

func (c Config) checkPush() error {
	switch c.PushDriver {
	case "", "live", "log":
	default:
		return config.Problem{Variable: "PUSH_DRIVER", Value: c.PushDriver, Fault: "is no way to send push messages", Mend: "set it to live or log"}
	}
	if !c.SendsPush() {
		return nil
	}
	return errors.Join(c.Expo.Validate(), c.FCM.Validate())
}

func (c Config) checkZone() error {
	if _, err := schedule.ParseZone(c.Timezone); err != nil {
		return config.Problem{Variable: "JOBS_TIMEZONE", Value: c.Timezone, Fault: "is not a known time zone", Mend: "set it to an IANA name such as Asia/Ho_Chi_Minh"}
	}
	return nil
}

func (c Config) checkPort() error {
	if c.Port >= 0 && c.Port <= 65535 {
		return nil
	}
	return config.Problem{Variable: "WORKER_PORT", Value: strconv.Itoa(c.Port), Fault: "is not a port", Mend: "set it to a number from 1 to 65535, or 0 for any free one"}
}
