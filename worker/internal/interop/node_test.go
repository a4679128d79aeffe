package interop_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// nodeVariable names the folder of the Node side, installed.
const nodeVariable = "INTEROP_NODE"

// version is an Agenda that the Node side has installed.
type version string

const (
	agenda5 version = "5.0.0"
	agenda6 version = "6.2.6"
)

// node is a process with one Agenda. Its handlers report each run.
type node struct {
	runs runs

	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer // readable after ended
	ended  chan struct{}

	mu      sync.Mutex
	lastID  int
	waiting map[int]chan message
	faults  []string // errors that Agenda emitted
	killed  bool
}

// message is a line from the process: the answer to a command, or an event.
type message struct {
	ID     int           `bson:"id"`
	Result bson.RawValue `bson:"result"`
	Error  string        `bson:"error"`

	Event   string        `bson:"event"`
	Job     string        `bson:"job"`
	Name    string        `bson:"name"`
	Data    bson.RawValue `bson:"data"`
	Message string        `bson:"message"`
}

// nodeOptions are options of Agenda's constructor. Its name becomes
// lastModifiedBy.
type nodeOptions bson.M

// definition says what a Node handler does; the rest are options of define().
type definition struct {
	Name         string `bson:"name"`
	Hold         bool   `bson:"hold,omitempty"`  // go on until release()
	Error        string `bson:"error,omitempty"` // fail with this message
	Concurrency  int    `bson:"concurrency,omitempty"`
	LockLimit    int    `bson:"lockLimit,omitempty"`
	LockLifetime int64  `bson:"lockLifetime,omitempty"` // milliseconds
}

// startNode starts a process whose Agenda is connected and has its index, but
// does not process jobs before call("start"). The test fails when it ends
// early, or when its Agenda emits an error.
func startNode(t *testing.T, v version, db *mongo.Database, options ...nodeOptions) *node {
	t.Helper()
	n := &node{t: t, ended: make(chan struct{}), waiting: map[int]chan message{}}
	n.cmd = exec.Command("node", filepath.Join(nodeFolder(t), "agent.mjs"), string(v[0]))
	n.cmd.Stderr = &n.stderr
	var err error
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatalf("start node: %v", err)
	}
	go n.listen(stdout)
	t.Cleanup(n.close)

	settings := bson.M{
		"uri": mongotest.URI(t), "database": db.Name(), "collection": mongoqueue.DefaultCollection,
		"name": "node", "processEvery": 500,
	}
	for _, o := range options {
		maps.Copy(settings, o)
	}
	if got := n.call("open", settings).StringValue(); got != string(v) {
		t.Fatalf("the Node side has Agenda %s installed, and not %s: run tools/interop/run", got, v)
	}
	return n
}

// nodeFolder skips the test where the Node side is not installed.
func nodeFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv(nodeVariable)
	if folder == "" {
		t.Skipf("%s is not set: tools/interop/run installs the Node side and runs this test", nodeVariable)
	}
	return folder
}

// listen reads what the process says until it ends.
func (n *node) listen(stdout io.Reader) {
	defer close(n.ended)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := bson.UnmarshalExtJSON(lines.Bytes(), false, &m); err != nil {
			n.fault(fmt.Sprintf("said what is no message: %s", lines.Text()))
			continue
		}
		n.hear(m)
	}
	_ = n.cmd.Wait() // the exit code is in cmd.ProcessState
}

func (n *node) hear(m message) {
	switch m.Event {
	case "run":
		n.runs.add(run{Job: m.Job, Name: m.Name, Data: plain(m.Data), At: time.Now()})
	case "error":
		n.fault("emitted an error: " + m.Message)
	default:
		n.mu.Lock()
		defer n.mu.Unlock()
		n.waiting[m.ID] <- m
		delete(n.waiting, m.ID)
	}
}

func (n *node) fault(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, text)
}

// call sends a command and returns its result.
func (n *node) call(name string, args ...any) bson.RawValue {
	n.t.Helper()
	result, err := n.try(name, args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return result
}

// try is call for goroutines other than the test's.
func (n *node) try(name string, args ...any) (bson.RawValue, error) {
	answer := make(chan message, 1)
	n.mu.Lock()
	n.lastID++
	id := n.lastID
	n.waiting[id] = answer
	line, err := bson.MarshalExtJSON(bson.D{{Key: "id", Value: id}, {Key: "call", Value: name}, {Key: "args", Value: append(bson.A{}, args...)}}, false, false)
	if err == nil {
		_, err = n.stdin.Write(append(line, '\n'))
	}
	n.mu.Unlock()
	if err != nil {
		return bson.RawValue{}, fmt.Errorf("node: %s: %w", name, err)
	}
	select {
	case m := <-answer:
		if m.Error != "" {
			return m.Result, fmt.Errorf("node: %s: %s", name, m.Error)
		}
		return m.Result, nil
	case <-n.ended:
		return bson.RawValue{}, fmt.Errorf("node: %s: the process has ended (%s)\n%s", name, n.cmd.ProcessState, n.stderr.String())
	case <-time.After(patience):
		return bson.RawValue{}, fmt.Errorf("node: %s: no answer", name)
	}
}

// define defines jobs.
func (n *node) define(definitions ...definition) {
	n.t.Helper()
	for _, d := range definitions {
		n.call("define", d)
	}
}

// id is a call whose result is the id of a job.
func (n *node) id(name string, args ...any) string {
	n.t.Helper()
	return n.call(name, args...).StringValue()
}

// nodeState is a job as Agenda's own queries show it.
type nodeState struct {
	ID         string    `bson:"id"`
	States     []string  `bson:"states"`
	FailReason string    `bson:"failReason"`
	LastRunAt  time.Time `bson:"lastRunAt"`
}

// states asks Agenda for the states of jobs, in the order of the ids.
func (n *node) states(ids ...string) []nodeState {
	n.t.Helper()
	var found []nodeState
	if err := n.call("states", ids).Unmarshal(&found); err != nil {
		n.t.Fatal(err)
	}
	ordered := make([]nodeState, len(ids))
	for _, state := range found {
		for i, id := range ids {
			if state.ID == id {
				ordered[i] = state
			}
		}
	}
	return ordered
}

// kill ends the process as a crash does.
func (n *node) kill() {
	n.t.Helper()
	n.mu.Lock()
	n.killed = true
	n.mu.Unlock()
	if err := n.cmd.Process.Kill(); err != nil {
		n.t.Fatal(err)
	}
	<-n.ended
}

// close ends the process in good order, and reports what went wrong in it.
func (n *node) close() {
	_ = n.stdin.Close()
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.t.Error("node: did not end with its standard input")
		_ = n.cmd.Process.Kill()
		<-n.ended
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, fault := range n.faults {
		n.t.Error("node: " + fault)
	}
	n.faults = nil
	if code := n.cmd.ProcessState.ExitCode(); code != 0 && !n.killed {
		n.t.Errorf("node: exit code %d\n%s", code, n.stderr.String())
	}
}
