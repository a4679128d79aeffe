package gate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// acceptPause is how long the gate waits after the system refused to hand out
// a connection (no file descriptors left) before it asks again.
const acceptPause = 50 * time.Millisecond

// Config tells a Gate what to stand between.
type Config struct {
	// Listener accepts the clients. The gate closes it. Required.
	Listener net.Listener
	// Upstream is the TCP address of the server. Required.
	Upstream string
	// OnCommand, if not nil, is called for each command before it waits for
	// any lock. It is called from many goroutines and must not block.
	OnCommand func(db, name string)
	// AfterWrite, if not nil, is called when the server has answered a writing
	// command: before the client sees the answer, and before another writing
	// command may start on the same database.
	AfterWrite func(Command)
	// Logger receives what went wrong with single connections. Nil is silent.
	Logger *slog.Logger
}

// Gate is a running proxy. Its methods are safe for concurrent use.
type Gate struct {
	cfg   Config
	log   *slog.Logger
	locks *locks

	ctx  context.Context // ends with Stop
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// Start returns a gate that accepts connections until Stop.
func Start(cfg Config) *Gate {
	g := &Gate{cfg: cfg, log: cfg.Logger, locks: newLocks()}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}

	// Detached on purpose: a gate lives until Stop, not as long as its caller.
	g.ctx, g.stop = context.WithCancel(context.Background())

	context.AfterFunc(g.ctx, func() { _ = cfg.Listener.Close() })

	g.wg.Go(g.accept)

	return g
}

// Addr is the address that clients connect to.
func (g *Gate) Addr() net.Addr { return g.cfg.Listener.Addr() }

// Stop closes the listener and every connection and waits for the gate's
// goroutines. A command that the server is executing is not waited for. It
// may be called more than once.
func (g *Gate) Stop() {
	g.stop()
	g.wg.Wait()
}

func (g *Gate) accept() {
	for {
		client, err := g.cfg.Listener.Accept()
		if err != nil {
			if g.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}

			g.log.Warn("gate accept failed", slog.Any("error", err))
			select {
			case <-g.ctx.Done():
				return
			case <-time.After(acceptPause):
			}

			continue
		}

		g.wg.Go(func() { g.serve(client) })
	}
}

// serve owns one client connection and the server connection that belongs to
// it, until either ends or the gate stops.
func (g *Gate) serve(client net.Conn) {
	defer client.Close()

	server, err := (&net.Dialer{}).DialContext(g.ctx, "tcp", g.cfg.Upstream)
	if err != nil {
		g.log.Warn("gate upstream refused", slog.Any("error", err))
		return
	}
	defer server.Close()

	// Closing both ends is what wakes the reads below.
	defer context.AfterFunc(g.ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})()

	err = g.relay(client, server) // never nil: a relay ends with its connection
	if !errors.Is(err, io.EOF) && g.ctx.Err() == nil {
		g.log.Debug("gate connection ended", slog.Any("error", err))
	}
}

// relay passes requests to the server and its answers back. FerretDB answers
// the requests of one connection one after the other, so the gate does too.
func (g *Gate) relay(client, server net.Conn) error {
	fromClient, fromServer := bufio.NewReader(client), bufio.NewReader(server)

	for {
		request, err := readMessage(fromClient)
		if err != nil {
			return err
		}

		command, err := request.command()
		if err != nil {
			return err
		}

		if g.cfg.OnCommand != nil {
			g.cfg.OnCommand(command.DB, command.Name)
		}

		silent := request.unacknowledged()
		if silent {
			request = request.acknowledged()
		}

		answer, err := g.execute(command, request, server, fromServer)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", command.Name, command.DB, err)
		}

		if silent {
			continue
		}

		if _, err := client.Write(answer); err != nil {
			return err
		}
	}
}

// execute sends a request and reads its answer, alone on the database when
// the command writes.
func (g *Gate) execute(c Command, request message, server io.Writer, fromServer io.Reader) (message, error) {
	if !c.Writes() {
		return exchange(request, server, fromServer)
	}

	defer g.locks.lock(c.DB)()

	answer, err := write(c, request, server, fromServer)
	if err != nil {
		return nil, err
	}

	if g.cfg.AfterWrite != nil {
		g.cfg.AfterWrite(c)
	}

	return answer, nil
}

// write executes a writing command, in pieces where FerretDB needs that.
func write(c Command, request message, server io.Writer, fromServer io.Reader) (message, error) {
	p, err := cut(c, request)
	if err != nil {
		return nil, err
	}

	if p.requests == nil {
		return narrowed(c, request, server, fromServer)
	}

	var o outcome

	for i, piece := range p.requests {
		answer, err := narrowed(c, piece, server, fromServer)
		if err != nil {
			return nil, err
		}

		if err := o.add(answer, p.first[i]); err != nil {
			return nil, err
		}

		if p.ordered && len(o.errors) > 0 {
			break
		}
	}

	return o.answer()
}

func narrowed(c Command, request message, server io.Writer, fromServer io.Reader) (message, error) {
	request, err := narrow(c, request, server, fromServer)
	if err != nil {
		return nil, err
	}

	return exchange(request, server, fromServer)
}

func exchange(request message, server io.Writer, fromServer io.Reader) (message, error) {
	if _, err := server.Write(request); err != nil {
		return nil, err
	}

	return readMessage(fromServer)
}
