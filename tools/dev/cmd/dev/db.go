package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func dbCommand() *cobra.Command {
	var (
		dir                    string
		mongodbPort, redisPort int
	)

	c := &cobra.Command{
		Use:   "db",
		Short: "Run only the engines, until standard input closes or a signal comes",
		Long: "Runs the embedded database and Redis, and prints when both are ready\n\n" +
			"    MONGODB_URI=mongodb://127.0.0.1:PORT/\n" +
			"    REDIS_URL=redis://127.0.0.1:PORT\n\n" +
			"They end when standard input closes (a pipe or a terminal) or on SIGINT or SIGTERM.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runDB(c.Context(), c.OutOrStdout(), dir, mongodbPort, redisPort)
		},
	}

	c.Flags().StringVar(&dir, "dir", "", "folder of the database files (default: a temporary one, removed at the end)")
	c.Flags().IntVar(&mongodbPort, "mongodb-port", 0, "wanted port of MongoDB; 0 or a taken one: any free port")
	c.Flags().IntVar(&redisPort, "redis-port", 0, "wanted port of Redis; 0 or a taken one: any free port")

	return c
}

func runDB(ctx context.Context, out io.Writer, dir string, mongodbPort, redisPort int) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	e, err := startEngines(dir, mongodbPort, redisPort)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()

	if _, err := fmt.Fprintf(out, "MONGODB_URI=%s\nREDIS_URL=%s\n", e.mongodb.URI(""), e.redis.URL()); err != nil {
		return err
	}

	select {
	case <-ctx.Done():
	case <-stdinClosed():
	}

	return nil
}

// stdinClosed is closed when standard input ends. It never is when standard
// input is a file or the null device, as for a process in the background.
// The goroutine that reads lives as long as the process.
func stdinClosed() <-chan struct{} {
	closed := make(chan struct{})

	info, err := os.Stdin.Stat()
	if err != nil || info.Mode().IsRegular() {
		return closed
	}

	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
		return closed
	}

	go func() {
		defer close(closed)

		_, _ = io.Copy(io.Discard, os.Stdin)
	}()

	return closed
}
