// Package config is the configuration of the worker.
package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/redis"
)

// Config is everything that the worker reads from its environment.
type Config struct {
	Environment string `env:"NODE_ENV" envDefault:"development" help:"production or development; production logs JSON"`
	LogLevel    string `env:"LOG_LEVEL" help:"debug, info, warn or error; default info in production, else debug"`

	Mongo mongodb.Env
	Redis redis.Env

	Port            int           `env:"WORKER_PORT" envDefault:"9091" help:"private port of /livez, /readyz and /metrics"`
	Host            string        `env:"WORKER_HOST" help:"address that the private port listens on; default every interface"`
	Slots           int           `env:"WORKER_CONCURRENCY" envAlias:"AGENDA_MAX_CONCURRENCY" envDefault:"20" help:"handlers that run at once in one process"`
	PerName         int           `env:"WORKER_JOB_CONCURRENCY" envAlias:"AGENDA_DEFAULT_CONCURRENCY" envDefault:"5" help:"handlers of one job name that run at once in one process, unless the job says otherwise"`
	PollInterval    time.Duration `env:"WORKER_POLL_INTERVAL" envDefault:"5s" help:"longest time between looks at the queue while wake-ups by Redis cannot arrive"`
	IdleInterval    time.Duration `env:"WORKER_IDLE_INTERVAL" envDefault:"15s" help:"longest time between looks while they can; jobs that Node enqueues are found by these"`
	ShutdownTimeout time.Duration `env:"WORKER_SHUTDOWN_TIMEOUT" envDefault:"30s" help:"how long running jobs may take to finish after SIGTERM before they are cancelled and handed back"`

	Collection   string        `env:"AGENDA_COLLECTION_NAME" envDefault:"agendaJobs" help:"the job collection, shared with Node's Agenda"`
	Timezone     string        `env:"JOBS_TIMEZONE" envDefault:"Asia/Ho_Chi_Minh" help:"IANA time zone of the recurring jobs and of calendar weeks and days"`
	RunRetention time.Duration `env:"RUN_RETENTION" envDefault:"720h" help:"how long the records of runs are kept"`
}

// Zone is Timezone, loaded. Validate has checked it.
func (c *Config) Zone() *time.Location {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Validate reports every value that cannot work.
func (c *Config) Validate() error {
	var problems []error
	complain := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	complain(c.Port < 0 || c.Port > 65535, "WORKER_PORT is %d; a port is between 0 and 65535 (0 = any free one)", c.Port)
	complain(c.Slots < 1, "WORKER_CONCURRENCY is %d; at least 1 is needed", c.Slots)
	complain(c.PerName < 1, "WORKER_JOB_CONCURRENCY is %d; at least 1 is needed", c.PerName)
	complain(c.PollInterval < 100*time.Millisecond, "WORKER_POLL_INTERVAL is %s; at least 100ms is needed, or the database is kept busy", c.PollInterval)
	complain(c.IdleInterval < 100*time.Millisecond, "WORKER_IDLE_INTERVAL is %s; at least 100ms is needed, or the database is kept busy", c.IdleInterval)
	complain(c.ShutdownTimeout < time.Second, "WORKER_SHUTDOWN_TIMEOUT is %s; at least 1s is needed to record what finished", c.ShutdownTimeout)
	complain(c.RunRetention < time.Hour, "RUN_RETENTION is %s; at least 1h is needed", c.RunRetention)
	_, err := time.LoadLocation(c.Timezone)
	complain(err != nil || c.Timezone == "", "JOBS_TIMEZONE is %q, which is not an IANA time zone; write for example Asia/Ho_Chi_Minh", c.Timezone)
	_, err = c.Redis.Options()
	complain(err != nil, "%v", err)
	return errors.Join(problems...)
}
