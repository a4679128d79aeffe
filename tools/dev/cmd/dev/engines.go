package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/etrainer/backend/tools/dev/internal/embedded"
)

// engines are both embedded engines.
type engines struct {
	mongodb *embedded.MongoDB
	redis   *embedded.Redis
	temp    string // folder to remove at the end, or ""
}

// startEngines starts both engines with the database files in dir, or in a
// temporary folder if dir is "". A port of 0 is any free port.
func startEngines(dir string, mongodbPort, redisPort int) (_ *engines, err error) {
	e := &engines{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.stop())
		}
	}()

	if dir == "" {
		if e.temp, err = os.MkdirTemp("", "etrainer-dev-"); err != nil {
			return nil, fmt.Errorf("make a folder for the database: %w", err)
		}

		dir = e.temp
	}

	e.mongodb, err = embedded.StartMongoDB(embedded.MongoDBOptions{
		Dir:    dir,
		Port:   mongodbPort,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return nil, err
	}

	if e.redis, err = embedded.StartRedis(redisPort); err != nil {
		return nil, err
	}

	return e, nil
}

// stop ends what was started.
func (e *engines) stop() error {
	if e.redis != nil {
		e.redis.Stop()
	}

	if e.mongodb != nil {
		e.mongodb.Stop()
	}

	if e.temp == "" {
		return nil
	}

	if err := os.RemoveAll(e.temp); err != nil {
		return fmt.Errorf("remove the database folder: %w", err)
	}

	return nil
}
