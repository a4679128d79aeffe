package proxy

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/port"
)

// Mode is what happens to the messages of a Proxy.
type Mode string

// The modes.
const (
	Pass   Mode = "pass"   // they arrive
	Hole   Mode = "hole"   // they do not, and nobody is told; what was sent arrives after the end
	Refuse Mode = "refuse" // connections are reset, and new ones refused
	Tear   Mode = "tear"   // half of each message arrives, then its connection is reset
)

// Proxy passes the connections of one process on to one server. It is safe for
// concurrent use.
type Proxy struct {
	target  func() string // the server's present address: host and port, or unix: and a path
	address string
	pumps   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil = refused
	mode     Mode
	delay    time.Duration
	changed  chan struct{} // closed at each change of mode
	closed   bool
	pairs    map[*pair]struct{}
	trap     *Trap
}

// New starts a proxy on a free port of this machine.
func New(target func() string) (*Proxy, error) {
	listener, err := port.Listen()
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		target: target, address: listener.Addr().String(), listener: listener,
		mode: Pass, changed: make(chan struct{}), pairs: map[*pair]struct{}{},
	}
	p.pumps.Go(func() { p.accept(listener) })
	return p, nil
}

// Address is the host and port to connect to in place of the server's.
func (p *Proxy) Address() string { return p.address }

// Set changes what happens to messages. delay is how much later each request
// arrives, while they arrive.
func (p *Proxy) Set(mode Mode, delay time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.mode, p.delay = mode, delay
	close(p.changed)
	p.changed = make(chan struct{})
	if mode == Refuse {
		p.resetAll()
		if p.listener != nil {
			_ = p.listener.Close()
			p.listener = nil
		}
		return nil
	}
	if p.listener != nil {
		return nil
	}
	listener, err := port.ListenOn(p.address)
	if err != nil {
		return fmt.Errorf("accept connections again: %w", err)
	}
	p.listener = listener
	p.pumps.Go(func() { p.accept(listener) })
	return nil
}

// Trap makes do happen at the next request that contains a text, once. after
// false: the server does not see the request; true: the server has answered,
// and the answer does not arrive. Either way the connection is reset.
type Trap struct {
	Text  string
	After bool
	Do    func()
}

// SetTrap replaces the trap; nil = none.
func (p *Proxy) SetTrap(trap *Trap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = trap
}

// Close ends all connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	close(p.changed)
	p.changed = make(chan struct{})
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.resetAll()
	p.mu.Unlock()
	p.pumps.Wait()
}

func (p *Proxy) resetAll() {
	for pair := range p.pairs {
		pair.reset()
		delete(p.pairs, pair)
	}
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.pumps.Go(func() { p.connect(client) })
		}
	}
}

// connect joins a client with the server.
func (p *Proxy) connect(client net.Conn) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	network, address := "tcp", p.target()
	if path, socket := strings.CutPrefix(address, "unix:"); socket {
		network, address = "unix", path
	}
	server, err := dialer.Dial(network, address)
	pair := &pair{proxy: p, client: client, server: server}
	if err != nil || !p.keep(pair) {
		pair.reset()
		return
	}
	defer p.drop(pair)
	defer pair.reset()
	var both sync.WaitGroup
	both.Go(func() { pair.pump(pair.requests) })
	both.Go(func() { pair.pump(pair.replies) })
	both.Wait()
}

func (p *Proxy) keep(pair *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.mode == Refuse {
		return false
	}
	p.pairs[pair] = struct{}{}
	return true
}

func (p *Proxy) drop(pair *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, pair)
}

// state returns the mode, and a channel that is closed when it changes.
func (p *Proxy) state() (mode Mode, delay time.Duration, closed bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.delay, p.closed, p.changed
}
