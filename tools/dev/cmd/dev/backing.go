package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/etrainer/backend/tools/dev/internal/embedded"
)

// database is the name of the database where the URI names none.
const database = "etrainer"

// atlas are the variables that come before MONGODB_URI in the programs.
var atlas = []string{"MONGODB_ATLAS_URI", "MONGODB_ATLAS_USER", "MONGODB_ATLAS_PASSWORD", "MONGODB_ATLAS_CLUSTER"}

// backing are the services that the programs use: embedded ones, or those
// that the environment names.
type backing struct {
	mongodbURI, redisURL string
	stops                []func()
}

// environment tells the programs where their services are. It empties the
// variables of Atlas: a shell or a .env file with the address of the real
// cluster must not put a developer's worker to work on it.
func (b *backing) environment() []string {
	env := []string{"MONGODB_URI=" + b.mongodbURI, "REDIS_URL=" + b.redisURL}
	for _, name := range atlas {
		env = append(env, name+"=")
	}
	return env
}

// sayAtlasIgnored tells of variables that have no effect here.
func sayAtlasIgnored(out io.Writer) {
	for _, name := range atlas {
		if os.Getenv(name) != "" {
			fmt.Fprintf(out, "dev │ %s is ignored here; set MONGODB_URI to use a server of yours\n", name)
		}
	}
}

func (b *backing) stop() {
	for _, v := range slices.Backward(b.stops) {
		v()
	}
}

func (o upOptions) startBacking(_ context.Context, out io.Writer) (_ *backing, err error) {
	b := &backing{mongodbURI: os.Getenv("MONGODB_URI"), redisURL: os.Getenv("REDIS_URL")}
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	sayAtlasIgnored(out)
	if b.mongodbURI == "" {
		dir := filepath.Join(o.dir, "data")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make the database folder: %w", err)
		}
		mongodb, err := embedded.StartMongoDB(embedded.MongoDBOptions{
			Dir: dir, Port: o.ports.mongodb, Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
		if err != nil {
			return nil, err
		}
		b.stops = append(b.stops, mongodb.Stop)
		sayReplaced(out, "the database", o.ports.mongodb, mongodb.Port())
		b.mongodbURI = mongodb.URI(database)
	}
	if b.redisURL == "" {
		redis, err := embedded.StartRedis(o.ports.redis)
		if err != nil {
			return nil, err
		}
		b.stops = append(b.stops, redis.Stop)
		sayReplaced(out, "Redis", o.ports.redis, redis.Port())
		b.redisURL = redis.URL()
	}
	return b, nil
}

// choosePorts finds free ports for the programs, the wanted ones if they are.
func (o upOptions) choosePorts(out io.Writer) (ports, error) {
	chosen := o.ports
	for _, p := range []struct {
		what string
		port *int
	}{{"the api", &chosen.api}, {"the api's private port", &chosen.apiPrivate}, {"the worker's private port", &chosen.worker}} {
		wanted := *p.port
		free, err := freePort(wanted)
		if err != nil {
			return ports{}, fmt.Errorf("find a port for %s: %w", p.what, err)
		}
		*p.port = free
		sayReplaced(out, p.what, wanted, free)
	}
	return chosen, nil
}

// freePort returns the wanted port, or another if that is taken on any
// address: the programs listen on all of them.
func freePort(wanted int) (int, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", wanted))
	if errors.Is(err, syscall.EADDRINUSE) {
		listener, err = net.Listen("tcp", ":0")
	}
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

func sayReplaced(out io.Writer, what string, wanted, got int) {
	if wanted != 0 && wanted != got {
		fmt.Fprintf(out, "dev │ port %d is taken; %s is on %d instead\n", wanted, what, got)
	}
}
