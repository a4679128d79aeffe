package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Names of the variables that tests read.
const (
	testMongoDBURI = "TEST_MONGODB_URI"
	testRedisURL   = "TEST_REDIS_URL"
)

func withEnginesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "with-engines -- CMD [ARGS…]",
		Short: "Run one command with engines of its own",
		Long: "Starts the embedded database and Redis on free ports in a temporary folder, runs the\n" +
			"command with " + testMongoDBURI + " and " + testRedisURL + " set, and ends with its exit code.\n" +
			"A variable that is set already is kept, so that tests can use real servers.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runWithEngines(c.Context(), args) },
	}
}

func runWithEngines(ctx context.Context, args []string) (err error) {
	// Before anything is started, so that no signal leaves a folder behind.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	e, err := startEngines("", 0, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()

	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = withDefault(withDefault(os.Environ(), testMongoDBURI, e.mongodb.URI("")), testRedisURL, e.redis.URL())

	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", args[0], err)
	}

	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()

	for {
		select {
		case s := <-signals:
			if s == os.Interrupt && isTerminal(os.Stdin) {
				continue // the terminal has sent it to the command as well
			}

			_ = cmd.Process.Signal(s)
		case err := <-done:
			return exitOf(err)
		}
	}
}

// withDefault adds a variable to an environment unless it has a value there.
func withDefault(env []string, name, value string) []string {
	if os.Getenv(name) != "" {
		return env
	}

	return append(env, name+"="+value)
}

// exitOf turns the end of a command into ours: its exit code, or 128 and the
// number of the signal that killed it, as shells do.
func exitOf(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}

	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitError(128 + int(status.Signal()))
	}

	return exitError(exit.ExitCode())
}

// isTerminal reports whether f is a terminal: a character device other than
// the null device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}

	null, err := os.Stat(os.DevNull)

	return err != nil || !os.SameFile(info, null)
}
