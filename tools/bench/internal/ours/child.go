package ours

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/process"
)

// ChildCommand is the first argument of this program when it is to be a child.
const ChildCommand = "child"

// tellEvery is how often a child says how many outcomes it has stored.
const tellEvery = 100 * time.Millisecond

// ChildOptions tell a child process what to do. They travel as its argument.
type ChildOptions struct {
	URI, Database, RedisURL string
	Slots                   int
	// Hold makes handlers run until they are told to stop.
	Hold bool
}

// ChildNews is what a child prints, one line of JSON each time.
type ChildNews struct {
	Started  int `json:"started"`  // handlers that were called
	Recorded int `json:"recorded"` // outcomes that are stored
}

// Child is a worker in a process of its own.
type Child struct {
	command *exec.Cmd
	stdin   io.Closer
	// News has what the child printed last. It is closed when the child ends.
	News chan ChildNews
}

// StartChild starts program, which must be this one, as a worker. The child
// ends when this process does, however that ends.
func StartChild(program string, db *engine.Database, o ChildOptions) (*Child, error) {
	o.URI, o.Database = db.URI, db.Name
	argument, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode the child's options: %w", err)
	}
	c := &Child{command: exec.Command(program, ChildCommand, string(argument)), News: make(chan ChildNews, 1)}
	c.command.Stderr = os.Stderr
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	go c.read(stdout) // ends with the child, which Stop or Kill ends
	return c, nil
}

// read keeps the newest news.
func (c *Child) read(stdout io.Reader) {
	defer close(c.News)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var news ChildNews
		if json.Unmarshal(lines.Bytes(), &news) != nil {
			continue
		}
		select {
		case <-c.News:
		default:
		}
		c.News <- news
	}
}

// Await reads news until they satisfy a condition.
func (c *Child) Await(ctx context.Context, enough func(ChildNews) bool) (ChildNews, error) {
	for {
		select {
		case <-ctx.Done():
			return ChildNews{}, context.Cause(ctx)
		case news, open := <-c.News:
			if !open {
				return ChildNews{}, errors.New("the child has ended")
			}
			if enough(news) {
				return news, nil
			}
		}
	}
}

// Memory is that of the child.
func (c *Child) Memory() (process.Memory, error) { return process.MemoryOf(c.command.Process.Pid) }

// Kill ends the child as a power failure would.
func (c *Child) Kill() error {
	if err := c.command.Process.Kill(); err != nil {
		return fmt.Errorf("kill the child: %w", err)
	}
	c.drain()
	_ = c.command.Wait() // "killed" is what it returns
	return nil
}

// Stop lets the child drain and waits for it.
func (c *Child) Stop() error {
	_ = c.stdin.Close()
	c.drain()
	if err := c.command.Wait(); err != nil {
		return fmt.Errorf("stop the child: %w", err)
	}
	return nil
}

// drain reads the pipe to its end, as must be before Wait.
func (c *Child) drain() {
	for range c.News {
	}
}

// RunChild is the child's program: a worker until standard input ends.
func RunChild(ctx context.Context, argument string) error {
	var o ChildOptions
	if err := json.Unmarshal([]byte(argument), &o); err != nil {
		return fmt.Errorf("read the child's options: %w", err)
	}
	e, err := engine.Open(ctx, o.URI, o.RedisURL)
	if err != nil {
		return err
	}
	db, err := e.Connect(ctx, o.Database)
	if err != nil {
		return err
	}
	store, err := NewStore(ctx, db)
	if err != nil {
		return err
	}
	started := make(chan struct{}, 1<<16)
	worker, err := New(db, store, Options{Slots: o.Slots, PerName: o.Slots, RedisURL: o.RedisURL, Handler: Handler(
		func(ctx context.Context, _ runner.Job[Payload]) {
			started <- struct{}{}
			if o.Hold {
				<-ctx.Done()
			}
		})})
	if err != nil {
		return err
	}
	if err := worker.Start(ctx); err != nil {
		return err
	}
	tell(worker, started)
	return errors.Join(worker.Stop(ctx), db.Disconnect(ctx))
}

// tell prints news until standard input ends.
func tell(worker *Worker, started <-chan struct{}) {
	ended := make(chan struct{})
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	var news ChildNews
	for {
		select {
		case <-ended:
			return
		case <-started:
			news.Started++
		case <-ticker.C:
			news.Recorded = worker.Recorded()
			_ = json.NewEncoder(os.Stdout).Encode(news)
		}
	}
}
