// Package outagetest takes a server away from the code under test: a TCP proxy
// that can cut its connections, at once or at a certain request, be slow, or stop
// passing data on without closing anything, as a network does that drops packets.
//
//	proxy := outagetest.New(t, "127.0.0.1:27017")
//	client := connect(proxy.Address())
//	proxy.Cut()
//	...
//	proxy.Restore()
package outagetest

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on to one server. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	target   string
	pumps    sync.WaitGroup
	ended    chan struct{}

	mu     sync.Mutex
	change *sync.Cond // state or closed changed
	state  state
	closed bool
	conns  map[net.Conn]struct{}
	delay  time.Duration
	cutAt  []byte // nil = at nothing
}

type state int

const (
	passing state = iota
	cut
	frozen
)

// New starts a proxy to a TCP address. It ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("outagetest: %v", err)
	}
	p := &Proxy{listener: listener, target: target, ended: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.change = sync.NewCond(&p.mu)
	p.pumps.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Address is the host and port to connect to in place of the server's.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cut closes every connection, and from then on each new one at once.
func (p *Proxy) Cut() {
	p.set(cut)
	p.closeAll()
}

// CutAt is Cut, once a client sends this text.
func (p *Proxy) CutAt(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAt = []byte(text)
}

// Delay passes on what clients send, but each piece of it after this time.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Freeze keeps connections open and accepts new ones, but passes nothing on.
func (p *Proxy) Freeze() { p.set(frozen) }

// Restore passes on again, at once, beginning with what a Freeze held back.
func (p *Proxy) Restore() {
	p.Delay(0)
	p.set(passing)
}

func (p *Proxy) set(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	p.change.Broadcast()
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	close(p.ended)
	p.change.Broadcast()
	p.mu.Unlock()
	_ = p.listener.Close()
	p.closeAll()
	p.pumps.Wait()
}

func (p *Proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
		delete(p.conns, conn)
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(client, server) {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.pumps.Go(func() { p.pump(server, client, p.request) })
		p.pumps.Go(func() { p.pump(client, server, func([]byte) {}) })
	}
}

// keep takes on a pair of connections unless the proxy is cut.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == cut || p.closed {
		return false
	}
	for _, conn := range conns {
		p.conns[conn] = struct{}{}
	}
	return true
}

// pump copies until either side closes. before is called with each piece.
func (p *Proxy) pump(to, from net.Conn, before func(piece []byte)) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, to)
		delete(p.conns, from)
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			before(buffer[:n])
			p.thaw()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// request cuts or waits before a piece of what a client sends.
func (p *Proxy) request(piece []byte) {
	p.mu.Lock()
	delay, cut := p.delay, p.cutAt != nil && bytes.Contains(piece, p.cutAt)
	if cut {
		p.cutAt = nil
	}
	p.mu.Unlock()
	if cut {
		p.Cut()
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended:
	}
}

// thaw waits while the proxy is frozen.
func (p *Proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.state == frozen && !p.closed {
		p.change.Wait()
	}
}
