package proxy

import (
	"bytes"
	"net"
	"sync/atomic"
	"time"
)

// pair is a client's connection and its continuation to the server.
type pair struct {
	proxy          *Proxy
	client, server net.Conn
	sprung         atomic.Pointer[Trap] // waits for the answer to its request
}

// way is one direction of a pair.
type way struct {
	from, to net.Conn
	request  bool
}

func (p *pair) requests() way { return way{p.client, p.server, true} }
func (p *pair) replies() way  { return way{p.server, p.client, false} }

// piece is what was read at once.
type piece struct {
	data []byte
	due  time.Time // when it may arrive
}

// pump passes one direction on until it breaks. Reading goes on while pieces
// wait, so a delay makes nothing slower than that.
func (p *pair) pump(of func() way) {
	w := of()
	pieces := make(chan piece, 64)
	done := make(chan struct{})
	go func() { // ends when either connection is closed, which reset does
		defer close(done)
		defer p.reset()
		for each := range pieces {
			if !p.pass(w, each) {
				return
			}
		}
	}()
	p.read(w, pieces, done)
	close(pieces)
	<-done
}

func (p *pair) read(w way, pieces chan<- piece, done <-chan struct{}) {
	for {
		buffer := make([]byte, 64<<10)
		n, err := w.from.Read(buffer)
		if n > 0 {
			_, delay, _, _ := p.proxy.state()
			if !w.request {
				delay = 0
			}
			select {
			case pieces <- piece{buffer[:n], time.Now().Add(delay)}:
			case <-done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass lets a piece arrive, and reports whether the connection goes on.
func (p *pair) pass(w way, each piece) bool {
	trap := p.spring(w, each.data)
	if trap != nil && (!trap.After || !w.request) {
		trap.Do()
		return false
	}
	for {
		mode, _, closed, changed := p.proxy.state()
		switch wait := time.Until(each.due); {
		case closed, mode == Refuse:
			return false
		case mode == Hole:
			<-changed
		case mode == Tear:
			_, _ = w.to.Write(each.data[:len(each.data)/2])
			return false
		case wait > 0:
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-changed:
			}
			timer.Stop()
		default:
			_, err := w.to.Write(each.data)
			return err == nil
		}
	}
}

// spring returns the trap that a piece sets off: by a request, or by the answer
// to one that did.
func (p *pair) spring(w way, data []byte) *Trap {
	if !w.request {
		return p.sprung.Load()
	}
	p.proxy.mu.Lock()
	defer p.proxy.mu.Unlock()
	trap := p.proxy.trap
	if trap == nil || !bytes.Contains(data, []byte(trap.Text)) {
		return nil
	}
	p.proxy.trap = nil
	if trap.After {
		p.sprung.Store(trap)
	}
	return trap
}

// reset closes both connections so that their other ends see a reset.
func (p *pair) reset() {
	for _, conn := range []net.Conn{p.client, p.server} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
}
