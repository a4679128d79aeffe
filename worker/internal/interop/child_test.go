package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
)

// childVariable makes this test binary a worker that never finishes a job.
const childVariable = "INTEROP_WORKER"

type childSettings struct {
	URI, Database, Name string
	Lifetime            time.Duration
}

// child is our worker as a process of its own.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	runs  runs
	ended chan struct{}
}

// startChild starts a worker process whose handler of a name goes on for
// ever. It ends with this process, or by kill.
func startChild(t *testing.T, db *mongo.Database, name string, lifetime time.Duration) *child {
	t.Helper()
	settings, err := json.Marshal(childSettings{mongotest.URI(t), db.Name(), name, lifetime})
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(settings))
	c.cmd.Stderr = os.Stderr
	stdin, err := c.cmd.StdinPipe() // nobody writes to it; it closes with this process
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go c.listen(stdout)
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = c.cmd.Process.Kill() // it may have been killed before
		<-c.ended
	})
	return c
}

func (c *child) listen(stdout io.Reader) {
	defer close(c.ended)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		c.runs.add(run{Job: lines.Text(), At: time.Now()})
	}
	_ = c.cmd.Wait() // it ends by a signal
}

// kill ends the process as a crash does.
func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	<-c.ended
}

// runChild is the worker process. It returns its exit code.
func runChild(text string) int {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := serveChild(ctx, text); err != nil {
		fmt.Fprintln(os.Stderr, "worker process:", err)
		return 1
	}
	return 0
}

func serveChild(ctx context.Context, text string) error {
	var settings childSettings
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(settings.URI))
	if err != nil {
		return err
	}
	db := client.Database(settings.Database)
	o := workerOptions(mongoqueue.New(db, mongoqueue.Options{}), db)
	definition := catalog.Definition{Name: settings.Name, LockLifetime: settings.Lifetime}
	o.Handlers = []runner.Handler{runner.Handle(catalog.Job[payload]{Definition: definition},
		func(ctx context.Context, j runner.Job[payload]) (any, error) {
			fmt.Println(j.ID.Hex())
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})}
	if err := runner.New(o).Start(ctx); err != nil {
		return err
	}
	<-ctx.Done() // the parent has ended: a crash is all that is wanted of this process
	return nil
}
