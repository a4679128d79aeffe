package mongodb

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/config"
)

// maxSlowMs keeps the threshold within a time.Duration.
const maxSlowMs = 1 << 40

// Env is how a process is told of its MongoDB; embed it in a config struct.
// The names are those of the Node backend.
type Env struct {
	AtlasURI      config.Secret `env:"MONGODB_ATLAS_URI" help:"whole address of an Atlas cluster; comes first"`
	AtlasUser     string        `env:"MONGODB_ATLAS_USER" help:"user of the Atlas address that is built from parts"`
	AtlasPassword config.Secret `env:"MONGODB_ATLAS_PASSWORD" help:"its password, not escaped"`
	AtlasCluster  string        `env:"MONGODB_ATLAS_CLUSTER" help:"its host, such as cluster0.abcde.mongodb.net; comes second"`
	AtlasDatabase string        `env:"MONGODB_ATLAS_DATABASE" help:"its database; default etrainer"`
	URI           config.Secret `env:"MONGODB_URI" help:"address where Atlas is not configured, such as mongodb://user:password@host:27017/etrainer?replicaSet=rs0"`
	Fallback      string        `env:"MONGODB_FALLBACK" help:"allow = use MONGODB_URI when Atlas does not answer at the start; else wait for Atlas, since two databases are two queues"`
	MaxPoolSize   uint64        `env:"MONGODB_MAX_POOL_SIZE" envDefault:"20" help:"connections to each server at the most"`
	MinPoolSize   uint64        `env:"MONGODB_MIN_POOL_SIZE" help:"connections to each server kept open; default none"`
	SlowMs        uint64        `env:"SLOW_QUERY_THRESHOLD_MS" envDefault:"1000" help:"commands that take longer, in milliseconds, are logged as warnings; 0 = none are"`
}

// Options turns Env into options of Connect. Commands are counted into the
// registerer; nil = they are not counted.
func (e Env) Options(appName string, registerer prometheus.Registerer, log *slog.Logger) (Options, error) {
	options := e.options()
	options.AppName, options.Log = appName, log
	if registerer == nil {
		return options, nil
	}
	counter, err := NewCommandCounter(registerer)
	if err != nil {
		return Options{}, fmt.Errorf("count MongoDB commands: %w", err)
	}
	options.Monitor = counter.Monitor()
	return options, nil
}

// Validate reports every mistake in the addresses, as Options.Validate does.
func (e Env) Validate() error { return e.options().Validate() }

func (e Env) options() Options {
	return Options{
		AtlasURI: e.AtlasURI.Reveal(), AtlasUser: e.AtlasUser, AtlasPassword: e.AtlasPassword,
		AtlasCluster: e.AtlasCluster, AtlasDatabase: e.AtlasDatabase,
		URI: e.URI.Reveal(), Fallback: e.Fallback,
		MaxPoolSize: e.MaxPoolSize, MinPoolSize: e.MinPoolSize,
		SlowCommand: time.Duration(min(e.SlowMs, maxSlowMs)) * time.Millisecond,
	}
}
