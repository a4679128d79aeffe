package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/etrainer/backend/tools/dev/internal/demo"
	"github.com/etrainer/backend/tools/dev/internal/process"
)

// readyWithin bounds the wait for the programs; they need well under a
// second once the database answers.
const readyWithin = 60 * time.Second

// upOptions are the flags of "dev up".
type upOptions struct {
	dir         string
	api, worker string
	migrate     string
	ports       ports
}

// ports are the wanted ones; a taken one is replaced.
type ports struct{ api, apiPrivate, worker, mongodb, redis int }

func upCommand() *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the whole product: database, Redis, api, worker, demo data",
		Long: "Runs everything on this machine and prints where it is and how to log in. The same\n" +
			"facts go into dev.env in the data folder, as shell variables, when everything is ready.\n" +
			"With MONGODB_URI or REDIS_URL set, that server is used instead of the embedded one.\n" +
			"Ctrl-C drains and stops everything; a second Ctrl-C stops at once.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), process.Lines(c.OutOrStdout())) },
	}
	c.Flags().StringVar(&o.dir, "dir", ".dev", "folder for the data, the secrets and dev.env")
	c.Flags().StringVar(&o.api, "api", "bin/api", "the api binary")
	c.Flags().StringVar(&o.worker, "worker", "bin/worker", "the worker binary")
	c.Flags().StringVar(&o.migrate, "migrate", "bin/migrate", "the migrate binary")
	c.Flags().IntVar(&o.ports.api, "api-port", 8080, "wanted port of the api")
	c.Flags().IntVar(&o.ports.apiPrivate, "api-private-port", 9090, "wanted private port of the api")
	c.Flags().IntVar(&o.ports.worker, "worker-port", 9091, "wanted private port of the worker")
	c.Flags().IntVar(&o.ports.mongodb, "mongodb-port", 27017, "wanted port of the embedded database")
	c.Flags().IntVar(&o.ports.redis, "redis-port", 6379, "wanted port of the embedded Redis")
	return c
}

func (o upOptions) run(ctx context.Context, out io.Writer) (err error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	unlock, err := lock(filepath.Join(o.dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	facts := filepath.Join(o.dir, "dev.env")
	if err := os.Remove(facts); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the facts of the last start: %w", err)
	}
	defer func() { _ = os.Remove(facts) }() // they are true only while it runs

	secrets, err := loadSecrets(filepath.Join(o.dir, "secret"))
	if err != nil {
		return err
	}
	backing, err := o.startBacking(ctx, out)
	if err != nil {
		return err
	}
	defer backing.stop()

	interrupted, stopSeeding := context.WithCancel(ctx)
	defer stopSeeding()
	seeded := make(chan error, 1)
	go func() { seeded <- demo.Seed(interrupted, backing.mongodbURI, secrets.admin(), out) }()
	select {
	case err := <-seeded:
		if err != nil {
			return fmt.Errorf("write the demo data: %w", err)
		}
	case <-signals:
		stopSeeding()
		if err := <-seeded; err != nil {
			fmt.Fprintln(out, "dev │ the demo data is not complete; the next start goes on with it")
		}
		return nil
	}
	if err := o.migrateUp(ctx, out, backing); err != nil {
		return err
	}
	return o.runPrograms(ctx, out, signals, facts, backing, secrets)
}

// migrateUp brings the database to the schema of the programs.
func (o upOptions) migrateUp(ctx context.Context, out io.Writer, b *backing) error {
	up := exec.CommandContext(ctx, o.migrate, "up")
	up.Env = append(append(os.Environ(), b.environment()...), "NODE_ENV=development", "LOG_LEVEL=warn")
	text, err := up.CombinedOutput()
	if err != nil {
		return fmt.Errorf("migrate the database: %w\n%s", err, text)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	fmt.Fprintln(out, "dev │ database migrated: "+lines[len(lines)-1])
	return nil
}

// requestLimit is none unless the environment names one: consoles that look
// every second and load generators share one address here.
func requestLimit() string {
	if most := os.Getenv("RATE_LIMIT_MAX_REQUESTS"); most != "" {
		return most
	}
	return "0"
}

// runPrograms runs the api and the worker until a signal comes or one of them
// cannot run.
func (o upOptions) runPrograms(ctx context.Context, out io.Writer, signals <-chan os.Signal, facts string, b *backing, s secrets) error {
	where, err := o.choosePorts(out)
	if err != nil {
		return err
	}
	shared := append(b.environment(),
		"NODE_ENV=development", "LOG_LEVEL="+logLevel(), "PUSH_DRIVER="+pushDriver(),
		"JWT_SECRET_KEY="+s.Access, "JWT_REFRESH_SECRET="+s.Refresh,
		"RATE_LIMIT_MAX_REQUESTS="+requestLimit(),
		fmt.Sprintf("PORT=%d", where.api), fmt.Sprintf("WORKER_PORT=%d", where.worker),
		fmt.Sprintf("API_PRIVATE_PORT=%d", where.apiPrivate),
	)
	api := process.Start(ctx, process.Spec{Name: "api   ", Path: o.api, Env: slices.Concat(shared, o.media()), Out: out})
	worker := process.Start(ctx, process.Spec{Name: "worker", Path: o.worker, Env: slices.Concat(shared, o.media(), o.backups()), Out: out})
	children := []*process.Child{worker, api}
	defer func() {
		for _, child := range children {
			child.Kill()
			<-child.Done()
		}
	}()

	info := newFacts(where, b, s)
	ready := make(chan error, 1)
	waiting, stopWaiting := context.WithTimeout(ctx, readyWithin)
	defer stopWaiting()
	go func() { ready <- info.waitReady(waiting) }()
	for {
		select {
		case err := <-ready:
			if err != nil {
				return err
			}
			if err := info.write(facts); err != nil {
				return err
			}
			info.print(out)
		case <-api.Done():
			return api.Err()
		case <-worker.Done():
			return worker.Err()
		case <-signals:
			stopWaiting()
			_ = os.Remove(facts) // from now on they are not true
			return drain(out, children, signals)
		}
	}
}

// media keeps uploads in the data folder, unless the environment says where. The
// worker looks for orphans there.
func (o upOptions) media() []string {
	if os.Getenv("MEDIA_DIR") != "" {
		return nil
	}
	return []string{"MEDIA_DIR=" + filepath.Join(o.dir, "media")}
}

// backups tells the worker where to keep them, unless the environment does.
func (o upOptions) backups() []string {
	if os.Getenv("BACKUP_DIR") != "" || os.Getenv("BACKUP_S3_BUCKET") != "" {
		return nil
	}
	return []string{"BACKUP_DIR=" + filepath.Join(o.dir, "backups")}
}

// drain asks the programs to stop and waits; a second signal ends them at
// once.
func drain(out io.Writer, children []*process.Child, signals <-chan os.Signal) error {
	fmt.Fprintln(out, "dev │ draining; press Ctrl-C again to stop at once")
	for _, child := range children {
		child.Stop()
	}
	for _, child := range children {
		select {
		case <-child.Done():
		case <-signals:
			return errors.New("stopped at once by a second signal")
		}
	}
	fmt.Fprintln(out, "dev │ stopped")
	return nil
}

// pushDriver sends nothing to anybody's phone unless it is told to.
func pushDriver() string {
	if driver := os.Getenv("PUSH_DRIVER"); driver != "" {
		return driver
	}
	return "log"
}

// logLevel keeps the first screen readable; LOG_LEVEL=debug shows all.
func logLevel() string {
	if level := os.Getenv("LOG_LEVEL"); level != "" {
		return level
	}
	return "info"
}
