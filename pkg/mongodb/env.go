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
	AtlasURI      config.Secret `env:"MONGODB_ATLAS_URI" help:"whole address of an Atlas cluster; comes first" example:"mongodb+srv://user:password@cluster0.abcde.mongodb.net/etrainer"`
	AtlasUser     string        `env:"MONGODB_ATLAS_USER" help:"user of the Atlas address that is built from parts" example:"etrainer"`
	AtlasPassword config.Secret `env:"MONGODB_ATLAS_PASSWORD" help:"its password, not escaped" example:"p@ss/word"`
	AtlasCluster  string        `env:"MONGODB_ATLAS_CLUSTER" help:"its host; the address of these parts comes second" example:"cluster0.abcde.mongodb.net"`
	AtlasDatabase string        `env:"MONGODB_ATLAS_DATABASE" help:"its database; default etrainer" example:"etrainer_test"`
	URI           config.Secret `env:"MONGODB_URI" help:"address of MongoDB, which counts where Atlas is not configured; escape the signs in user and password: @ is %40, : is %3A, / is %2F, ? is %3F, % is %25" example:"mongodb://user:password@host:27017/etrainer?replicaSet=rs0" production:""`
	Fallback      string        `env:"MONGODB_FALLBACK" help:"what to do when Atlas does not answer at the start: allow = the api and the worker use MONGODB_URI; default wait for Atlas, since two databases are two queues" example:"allow"`
	MaxPoolSize   uint64        `env:"MONGODB_MAX_POOL_SIZE" envDefault:"20" help:"connections of one process to each server at the most" unit:"connections" example:"50"`
	MinPoolSize   uint64        `env:"MONGODB_MIN_POOL_SIZE" help:"connections of one process to each server kept open; default none" unit:"connections" example:"5"`
	SlowMs        uint64        `env:"SLOW_QUERY_THRESHOLD_MS" envDefault:"1000" help:"commands of the database that take longer are logged as warnings; 0 = none are" unit:"milliseconds" example:"200"`
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

// Validate reports every mistake, as Options.Validate does.
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
