package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
)

// process is a Run that a test can send signals to.
type process struct {
	signals chan os.Signal
	exits   chan int // codes of Exit
	code    chan int // what Run returned
	log     *buffer
}

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func run(ctx context.Context, services ...lifecycle.Service) process {
	p := process{make(chan os.Signal), make(chan int, 1), make(chan int, 1), &buffer{}}
	log := slog.New(slog.NewTextHandler(p.log, nil))
	g := lifecycle.NewGroup(log)
	for _, s := range services {
		g.Add("service", s)
	}
	go func() {
		p.code <- lifecycle.Run(ctx, log, g, lifecycle.RunOptions{
			Signals: p.signals,
			Exit:    func(code int) { p.exits <- code },
		})
	}()
	return p
}

// announced is a loop that says when it runs.
func announced() (loop *lifecycle.Loop, running chan struct{}) {
	running = make(chan struct{})
	return lifecycle.NewLoop("loop", func(ctx context.Context) error {
		close(running)
		return untilStopped(ctx)
	}), running
}

func TestRunEndsBySignal(t *testing.T) {
	t.Parallel()
	loop, running := announced()
	p := run(t.Context(), loop)
	<-running
	p.signals <- syscall.SIGTERM
	if code := <-p.code; code != lifecycle.ExitOK {
		t.Errorf("exit code = %d, want 0\n%s", code, p.log)
	}
	if !strings.Contains(p.log.String(), "received signal: terminated") {
		t.Errorf("the log does not name the signal:\n%s", p.log)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	loop, running := announced()
	p := run(ctx, loop)
	<-running
	cancel()
	if code := <-p.code; code != lifecycle.ExitOK {
		t.Errorf("exit code = %d, want 0\n%s", code, p.log)
	}
}

func TestRunSignalDuringStart(t *testing.T) {
	t.Parallel()
	s := &slowStarter{starting: make(chan struct{})}
	p := run(t.Context(), s)
	<-s.starting
	p.signals <- os.Interrupt
	if code := <-p.code; code != lifecycle.ExitOK {
		t.Errorf("exit code = %d, want 0\n%s", code, p.log)
	}
}

// slowStarter starts for as long as its context lasts.
type slowStarter struct{ starting chan struct{} }

func (s *slowStarter) Start(ctx context.Context) error {
	close(s.starting)
	<-ctx.Done()
	return ctx.Err()
}
func (s *slowStarter) Stop(context.Context) error { return nil }

func TestRunFailures(t *testing.T) {
	t.Parallel()
	broken := func(context.Context) error { return errBroken }
	tests := map[string]lifecycle.Service{
		"start":   diarist{diary: &diary{}, startErr: errBroken},
		"running": lifecycle.NewLoop("loop", broken),
	}
	for name, service := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t.Context(), service)
			if code := <-p.code; code != lifecycle.ExitFailed {
				t.Errorf("exit code = %d, want 1", code)
			}
			if n := strings.Count(p.log.String(), "broken"); n != 1 {
				t.Errorf("the failure is logged %d times, want once:\n%s", n, p.log)
			}
		})
	}
	t.Run("start, by the configuration", func(t *testing.T) {
		t.Parallel()
		p := run(t.Context(), diarist{diary: &diary{}, startErr: fmt.Errorf("%w: no schema", config.ErrConfig)})
		if code := <-p.code; code != lifecycle.ExitBadConfig {
			t.Errorf("exit code %d, want %d: a restart does not help", code, lifecycle.ExitBadConfig)
		}
	})
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		loop, running := announced()
		p := run(t.Context(), diarist{diary: &diary{}, stopErr: errBroken}, loop)
		<-running
		p.signals <- os.Interrupt
		if code := <-p.code; code != lifecycle.ExitFailed {
			t.Errorf("exit code = %d, want 1", code)
		}
	})
}

func TestRunSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		second os.Signal
		want   int
	}{
		"interrupt": {os.Interrupt, 130},
		"terminate": {syscall.SIGTERM, 143},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release, running := make(chan struct{}), make(chan struct{})
			p := run(t.Context(), lifecycle.NewLoop("stubborn", func(context.Context) error {
				close(running)
				<-release
				return nil
			}))
			<-running
			p.signals <- os.Interrupt
			p.signals <- test.second
			if code := <-p.exits; code != test.want {
				t.Errorf("exit code = %d, want %d", code, test.want)
			}
			close(release)
			<-p.code
		})
	}
}

func TestNotifyContextOfTheProcess(t *testing.T) { //nolint:paralleltest // it signals this process
	ctx, release := lifecycle.NotifyContext(t.Context())
	defer release()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatalf("signal this process: %v", err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, lifecycle.SignalError{Signal: syscall.SIGTERM}) {
		t.Errorf("cause = %v, want SIGTERM", cause)
	}
}
