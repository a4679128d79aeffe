package mongodb_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

func loadEnv(t *testing.T, variables map[string]string) mongodb.Env {
	t.Helper()
	var settings struct{ Mongo mongodb.Env }
	if err := config.Load(&settings, config.Options{Environment: variables}); err != nil {
		t.Fatalf("Load: %v", err)
	}
	return settings.Mongo
}

func TestEnvBecomesOptions(t *testing.T) {
	t.Parallel()
	env := loadEnv(t, map[string]string{
		"MONGODB_ATLAS_URI": "mongodb+srv://a/b", "MONGODB_ATLAS_USER": "user", "MONGODB_ATLAS_PASSWORD": "p@ss",
		"MONGODB_ATLAS_CLUSTER": "c.example.net", "MONGODB_ATLAS_DATABASE": "school", "MONGODB_URI": "mongodb://h",
		"MONGODB_FALLBACK": "allow", "MONGODB_MIN_POOL_SIZE": "3",
	})
	log := slog.New(slog.DiscardHandler)
	got, err := env.Options("worker", nil, log)
	if err != nil {
		t.Fatalf("Options: %v", err)
	}
	want := mongodb.Options{
		AtlasURI: "mongodb+srv://a/b", AtlasUser: "user", AtlasPassword: "p@ss", AtlasCluster: "c.example.net", AtlasDatabase: "school",
		URI: "mongodb://h", Fallback: mongodb.FallbackAllow, MaxPoolSize: 20, MinPoolSize: 3, SlowCommand: time.Second, AppName: "worker", Log: log,
	}
	if got != want {
		t.Errorf("options = %+v, want %+v", got, want)
	}
}

func TestEnvCountsCommands(t *testing.T) {
	t.Parallel()
	env := loadEnv(t, map[string]string{"MONGODB_URI": "mongodb://" + wiretest.New(t, plain).Host()})
	registry := metrics.New("test", nil)
	options, err := env.Options("worker", registry, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("Options: %v", err)
	}
	connect(t, options)
	if got := samples(t, registry, "etrainer_mongodb_command_seconds"); len(got) != 2 {
		t.Errorf("commands of Connect in the metrics = %v, want hello and buildInfo", got)
	}
	if _, err := env.Options("worker", registry, nil); err == nil {
		t.Error("counting twice into one registry is accepted")
	}
}

func TestEnvValidates(t *testing.T) {
	t.Parallel()
	if err := loadEnv(t, map[string]string{"MONGODB_URI": "mongodb://h"}).Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
	err := loadEnv(t, map[string]string{"MONGODB_URI": "h:27017"}).Validate()
	if !errors.Is(err, config.ErrConfig) || !strings.Contains(err.Error(), "MONGODB_URI cannot be used") {
		t.Errorf("Validate = %v, want ErrConfig about MONGODB_URI", err)
	}
}
