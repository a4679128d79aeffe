package stage

import (
	"context"
	"encoding/json"
	"sync"
	"syscall"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
	"github.com/etrainer/backend/tools/chaos/internal/proxy"
	"github.com/etrainer/backend/tools/chaos/internal/worker"
)

// pastLease is how long a worker that stopped itself at a step stands: longer
// than peers need to believe that it is dead.
const pastLease = 12 * time.Second

// processLook is how often the stage looks at a process.
const processLook = 50 * time.Millisecond

// insertOfJobs is how an insert into the collection of the jobs looks on the
// wire: the first field of the command, with the length of its text.
const insertOfJobs = "\x02insert\x00\x0b\x00\x00\x00agendaJobs\x00"

// breakThings lets the faults of the plan happen at their times.
func (s *Stage) breakThings(ctx context.Context) {
	var all sync.WaitGroup
	for number, f := range s.plan.Faults {
		all.Go(func() {
			wait(ctx, f.Begin)
			if ctx.Err() != nil || s.impossible(f) {
				return
			}
			s.log.Write(history.Line{Event: history.Fault, Process: f.Target, Outcome: string(f.Kind), Note: f.String()})
			s.inflict(ctx, f, number)
			s.log.Write(history.Line{Event: history.Restored, Process: f.Target, Outcome: string(f.Kind), Note: f.String()})
		})
	}
	all.Wait()
}

// impossible reports whether what a fault needs is not installed; programs.Set
// says so once for all seeds.
func (s *Stage) impossible(f plan.Fault) bool {
	return f.Target != "" && s.actors[f.Target] == nil
}

// inflict is one fault, from its beginning to its end.
func (s *Stage) inflict(ctx context.Context, f plan.Fault, number int) {
	switch f.Kind {
	case plan.KillAt:
		s.trap(ctx, f, false)
	case plan.KillArm:
		s.disarm(ctx)
		s.trap(ctx, f, false)
	case plan.StopAt:
		s.trap(ctx, f, true)
	case plan.Stop:
		s.stopFor(ctx, f)
	case plan.Clock:
		s.step(f, f.Away)
		wait(ctx, f.For)
		s.step(f, 0)
	case plan.KillEnqueue:
		s.killEnqueue(ctx, f)
	case plan.KillNode:
		s.actors[f.Target].process.Signal(syscall.SIGKILL)
	case plan.Older:
		s.olderBeside(ctx, f)
	case plan.Hole, plan.Refuse, plan.Tear, plan.Delay:
		s.breakNetwork(f)
		wait(ctx, f.For)
		s.mendNetwork(f)
	case plan.KillDatabase:
		s.kill(ctx, s.database, f)
	case plan.KillRedis:
		s.kill(ctx, s.redis, f)
	case plan.FlushRedis:
		s.flushRedis(ctx)
	case plan.MuteRedis:
		s.muteRedis(proxy.Hole)
		wait(ctx, f.For)
		s.muteRedis(proxy.Pass)
	case plan.Poison:
		s.poison(ctx, number)
	case plan.BigPayload:
		s.big(ctx, f.For)
	case plan.OddResults, plan.Exits, plan.Deaf:
		s.batch(ctx, f.Kind, number)
	}
}

// trap sets a trap in a worker and waits until it springs or its time is over.
// One that stands is sent on when its lease is surely over.
func (s *Stage) trap(ctx context.Context, f plan.Fault, stop bool) {
	p := s.actors[f.Target].process
	set := func(trap worker.Trap) {
		text, err := json.Marshal(trap)
		if err != nil {
			panic(err) // numbers and texts
		}
		p.Say(text)
	}
	life, within := p.Life(), f.For
	if stop {
		within -= pastLease
	}
	set(worker.Trap{Step: f.Step, Stop: stop})
	sprung := until(ctx, processLook, within, func() bool { return p.Life() != life || stop && p.IsStopped() })
	if !sprung {
		set(worker.Trap{}) // no step is like it
		s.log.Write(history.Line{Event: history.Note, Process: life, Note: "the step was not reached: " + f.Step.String()})
		return
	}
	if stop && p.Life() == life {
		wait(ctx, pastLease)
		s.goOn(f.Target)
	}
}

// stopFor is SIGSTOP, and SIGCONT when the time is over.
func (s *Stage) stopFor(ctx context.Context, f plan.Fault) {
	p := s.actors[f.Target].process
	s.log.Write(history.Line{Event: history.Stopped, Process: p.Life()})
	p.Signal(syscall.SIGSTOP)
	wait(ctx, f.For)
	s.goOn(f.Target)
}

func (s *Stage) goOn(name string) {
	p := s.actors[name].process
	s.log.Write(history.Line{Event: history.Continued, Process: p.Life()})
	p.Signal(syscall.SIGCONT)
}

func (s *Stage) step(f plan.Fault, away time.Duration) {
	if err := s.actors[f.Target].wall.Step(away); err != nil {
		panic(err) // the stage's own folder
	}
}

// killEnqueue kills the api when it stores its next job.
func (s *Stage) killEnqueue(ctx context.Context, f plan.Fault) {
	a := s.actors[f.Target]
	life := a.process.Life()
	a.database.SetTrap(&proxy.Trap{Text: insertOfJobs, After: f.After, Do: func() { a.process.Signal(syscall.SIGKILL) }})
	until(ctx, processLook, f.For, func() bool { return a.process.Life() != life })
	a.database.SetTrap(nil)
}

// olderBeside runs an older worker for a while, as a rollout does.
func (s *Stage) olderBeside(ctx context.Context, f plan.Fault) {
	a := s.actors[f.Target]
	a.start()
	wait(ctx, f.For)
	if err := a.stop(); err != nil {
		s.log.Write(history.Line{Event: history.Note, Process: a.process.Life(), Note: err.Error()})
	}
}

// kill is kill -9 of a server, and a start on the same data.
func (s *Stage) kill(ctx context.Context, server *server, f plan.Fault) {
	server.kill()
	wait(ctx, f.For)
	if err := server.start(ctx); err != nil {
		panic(err) // the stage cannot go on
	}
}

// until looks at a condition now and then, and reports whether it came to hold
// in time.
func until(ctx context.Context, look, within time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for !holds() {
		if ctx.Err() != nil {
			return false
		}
		wait(ctx, look)
	}
	return true
}
