package stage

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/clock"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
	"github.com/etrainer/backend/tools/chaos/internal/port"
	"github.com/etrainer/backend/tools/chaos/internal/process"
	"github.com/etrainer/backend/tools/chaos/internal/proxy"
	"github.com/etrainer/backend/tools/chaos/internal/worker"
)

// databaseName is the database of every stage; each has an engine of its own.
const databaseName = "chaos"

// How long processes may take to stop in good order; a worker's own grace is
// ten seconds.
const stopWithin = 15 * time.Second

// actor is a process under chaos, with its wires to the servers and its clock.
type actor struct {
	name            string
	database, redis *proxy.Proxy
	wall            *clock.Wall
	process         *process.Process // nil until it is started
	spec            process.Spec
	term            bool // stops by SIGTERM, and not by the end of its input
}

func (s *Stage) newActor(name string) (*actor, error) {
	a := &actor{name: name}
	var err error
	if a.database, err = proxy.New(s.database.target); err != nil {
		return nil, err
	}
	if a.redis, err = proxy.New(s.redis.target); err != nil {
		return nil, err
	}
	if a.wall, err = clock.New(s.folder, name); err != nil {
		return nil, err
	}
	output, err := os.OpenFile(filepath.Join(s.folder, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a log: %w", err)
	}
	s.closers = append(s.closers, a.database.Close, a.redis.Close, func() { _ = output.Close() })
	a.spec = process.Spec{Name: name, History: s.log, Output: output}
	switch {
	case name == plan.API:
		err = s.asAPI(a)
	case name == plan.Node:
		s.asNode(a)
	case name == plan.OlderWorker:
		s.asWorker(a, s.programs.Older)
		a.spec.AnyExit = true
	default:
		s.asWorker(a, s.programs.Worker)
		a.spec.Allowed = []int{worker.ExitCode}
	}
	return a, err
}

func (a *actor) uri() string {
	return "mongodb://" + a.database.Address() + "/" + databaseName
}

func (a *actor) redisURL() string { return "redis://" + a.redis.Address() + "/0" }

func (s *Stage) asWorker(a *actor, binary string) {
	a.spec.Command = func(life string) *exec.Cmd {
		options, err := json.Marshal(worker.Options{Process: life, History: s.folder, URI: a.uri(), RedisURL: a.redisURL()})
		if err != nil {
			panic(err) // four texts
		}
		cmd := exec.Command(binary, string(options))
		cmd.Env = append(os.Environ(), a.wall.Env()...)
		return cmd
	}
}

func (s *Stage) asAPI(a *actor) error {
	free, err := port.Free()
	if err != nil {
		return err
	}
	s.front.url = "http://127.0.0.1:" + free
	a.term, a.spec.Ready = true, "running"
	a.spec.Command = func(string) *exec.Cmd {
		cmd := exec.Command(s.programs.API)
		cmd.Env = append(os.Environ(), append(a.wall.Env(),
			"MONGODB_URI="+a.uri(), "REDIS_URL="+a.redisURL(), "PORT="+free, "NODE_ENV=production", "TRUSTED_PROXIES=127.0.0.1",
			"RATE_LIMIT_MAX_REQUESTS=0", "AUTH_RATE_LIMIT_MAX=0", "API_PRIVATE_PORT=0", "API_DRAIN_DELAY=300ms",
			"MEDIA_DIR="+filepath.Join(s.folder, "media"), "BCRYPT_ROUNDS=4", "JWT_SECRET_KEY="+s.secret)...)
		return cmd
	}
	return nil
}

func (s *Stage) asNode(a *actor) {
	a.spec.AnyExit, a.spec.Ready = true, "ready"
	a.spec.Command = func(life string) *exec.Cmd {
		options, err := json.Marshal(map[string]string{
			"process": life, "history": s.folder, "uri": a.uri(), "database": databaseName, "interop": s.programs.Interop,
		})
		if err != nil {
			panic(err) // five texts
		}
		cmd := exec.Command("node", s.programs.Node, string(options))
		cmd.Env = append(os.Environ(), a.wall.FaketimeEnv(s.programs.Faketime)...)
		return cmd
	}
}

func (a *actor) start() { a.process = process.Start(a.spec) }

// stop ends the process in good order, if it runs.
func (a *actor) stop() error {
	if a.process == nil {
		return nil
	}
	return a.process.Stop(a.term, stopWithin)
}
