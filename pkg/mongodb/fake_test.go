package mongodb_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// plain answers as a standalone MongoDB 7 does.
func plain(command bson.Raw) bson.D {
	return wiretest.Greet(command, nil, bson.D{{Key: "version", Value: "7.0.14"}})
}

// proxy is a TCP proxy that a test can cut.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, conns: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		p.listener.Close()
		p.setCut(true)
		p.all.Wait()
	})
	return p
}

func (p *proxy) host() string { return p.listener.Addr().String() }

// setCut closes every connection and refuses new ones, or lets them through.
func (p *proxy) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for conn := range p.conns {
			conn.Close()
		}
		clear(p.conns)
	}
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(client, server) {
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		pipe := func(to, from net.Conn) {
			defer to.Close()
			// A copy ends when either side is cut, which is what tests do.
			_, _ = io.Copy(to, from)
		}
		p.all.Go(func() { pipe(client, server) })
		p.all.Go(func() { pipe(server, client) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	for _, conn := range conns {
		p.conns[conn] = true
	}
	return true
}
