// Package backupenv is how a process is told where backups are kept, and for
// how long.
package backupenv

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
	"github.com/etrainer/backend/worker/internal/backup/s3store"
)

// Env is the configuration of backups; embed it in a config struct.
type Env struct {
	Dir string `env:"BACKUP_DIR" help:"directory of the backups of \"backup critical data\"; set it or a bucket, else the job fails; docs/backup.md" example:"/var/backups/etrainer" production:""`

	Endpoint  string        `env:"BACKUP_S3_ENDPOINT" envDefault:"https://s3.amazonaws.com" help:"address of a service that speaks S3" example:"https://s3.eu-central-1.amazonaws.com"`
	Bucket    string        `env:"BACKUP_S3_BUCKET" help:"bucket of the backups" example:"etrainer-backups"`
	Prefix    string        `env:"BACKUP_S3_PREFIX" help:"what the keys begin with; default nothing" example:"production"`
	Region    string        `env:"BACKUP_S3_REGION" help:"region of the bucket; default the service's answer" example:"eu-central-1"`
	AccessKey string        `env:"BACKUP_S3_ACCESS_KEY" help:"access key; default the role of the machine" example:"AKIAIOSFODNN7EXAMPLE"`
	SecretKey config.Secret `env:"BACKUP_S3_SECRET_KEY" help:"its secret" example:"what the provider showed with the key"`

	Recipients []string `env:"BACKUP_AGE_RECIPIENTS" help:"public keys of those who can open the backups, with commas between; age-keygen makes one, whose private half belongs elsewhere; default not encrypted" example:"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"`
	Exclude    []string `env:"BACKUP_EXCLUDE" help:"collections that are left out of backups, with commas between" example:"agendaRuns,rate_limits"`

	KeepAll     time.Duration `env:"BACKUP_KEEP_ALL" envDefault:"72h" help:"every backup that is younger is kept" example:"24h"`
	KeepDaily   int           `env:"BACKUP_KEEP_DAILY" envDefault:"7" help:"days of which the newest backup is kept" unit:"days" example:"14"`
	KeepWeekly  int           `env:"BACKUP_KEEP_WEEKLY" envDefault:"4" help:"weeks of which the newest backup is kept" unit:"weeks" example:"8"`
	KeepMonthly int           `env:"BACKUP_KEEP_MONTHLY" envDefault:"12" help:"months of which the newest backup is kept" unit:"months" example:"24"`
}

// ErrNowhere means that no place for backups is configured.
var ErrNowhere = errors.New("there is no place for backups: set BACKUP_DIR to a directory, or BACKUP_S3_BUCKET to a bucket")

// Open returns the store that is configured. It touches neither disk nor
// network.
func (e Env) Open() (backup.Store, error) {
	switch {
	case e.Bucket != "":
		endpoint, err := url.Parse(e.Endpoint)
		if err != nil {
			return nil, err
		}
		return s3store.New(s3store.Options{
			Endpoint: endpoint, Bucket: e.Bucket, Prefix: strings.Trim(e.Prefix, "/"), Region: e.Region,
			AccessKey: e.AccessKey, SecretKey: e.SecretKey, Now: time.Now,
		})
	case e.Dir != "":
		return dirstore.New(e.Dir), nil
	default:
		return nil, ErrNowhere
	}
}

// Keys are Recipients, parsed; none when they are wrong, which Validate
// reports.
func (e Env) Keys() backup.Recipients {
	keys, err := backup.ParseRecipients(e.Recipients)
	if err != nil {
		return backup.Recipients{}
	}
	return keys
}

// Excluded are the names of Exclude.
func (e Env) Excluded() []string {
	var names []string
	for _, name := range e.Exclude {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// Retention is which backups are kept. zone is where days begin.
func (e Env) Retention(zone *time.Location) backup.Retention {
	return backup.Retention{All: e.KeepAll, Daily: e.KeepDaily, Weekly: e.KeepWeekly, Monthly: e.KeepMonthly, Zone: zone}
}

// Validate reports every mistake, as config.Problem joined.
func (e Env) Validate() error {
	problems := []error{
		e.checkEndpoint(), config.AtLeast("BACKUP_KEEP_DAILY", e.KeepDaily, 1),
		config.AtLeast("BACKUP_KEEP_WEEKLY", e.KeepWeekly, 0), config.AtLeast("BACKUP_KEEP_MONTHLY", e.KeepMonthly, 0),
	}
	if e.KeepAll < 0 {
		problems = append(problems, config.Problem{Variable: "BACKUP_KEEP_ALL", Value: e.KeepAll.String(), Fault: "is negative", Mend: "set it to a duration such as 72h, or 0s"})
	}
	if e.Bucket != "" && e.Dir != "" {
		problems = append(problems, config.Problem{
			Variable: "BACKUP_DIR", Value: e.Dir, Fault: "is set beside BACKUP_S3_BUCKET", Mend: "empty one of them: backups go to one place",
		})
	}
	if (e.AccessKey == "") != (e.SecretKey == "") {
		problems = append(problems, config.Problem{
			Variable: "BACKUP_S3_SECRET_KEY", Fault: "and BACKUP_S3_ACCESS_KEY belong together", Mend: "set both, or neither to use the role of the machine",
		})
	}
	if _, err := backup.ParseRecipients(e.Recipients); err != nil {
		problems = append(problems, config.Problem{Variable: "BACKUP_AGE_RECIPIENTS", Fault: "cannot be used", Mend: err.Error()})
	}
	return errors.Join(problems...)
}

func (e Env) checkEndpoint() error {
	address, err := url.Parse(e.Endpoint)
	if err == nil && (address.Scheme == "https" || address.Scheme == "http") && address.Host != "" && strings.Trim(address.Path, "/") == "" && address.User == nil {
		return nil
	}
	return config.Problem{
		Variable: "BACKUP_S3_ENDPOINT", Fault: "is not the address of a service",
		Mend: "write it as https://s3.eu-central-1.amazonaws.com, without bucket and keys",
	}
}
