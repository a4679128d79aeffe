package gate_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/dev/internal/gate"
)

// patience is how long a test waits for something that must happen.
const patience = 60 * time.Second

const (
	opQuery      = 2004
	opCompressed = 2012
	opMsg        = 2013

	checksumPresent = 1 << 0
	moreToCome      = 1 << 1
)

// request is a message as a driver sends it.
type request struct {
	id       uint32
	flags    uint32
	command  bson.D
	sequence string // name of documents beside the command
	docs     []bson.D
	checksum bool
}

func (r request) bytes(t testing.TB) []byte {
	t.Helper()

	body := binary.LittleEndian.AppendUint32(nil, r.flags)

	if r.sequence != "" {
		// Before the command on purpose: the protocol allows any order.
		section := append([]byte(r.sequence), 0)
		for _, d := range r.docs {
			section = append(section, marshal(t, d)...)
		}

		body = append(body, 1)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(section)+4))
		body = append(body, section...)
	}

	body = append(body, 0)
	body = append(body, marshal(t, r.command)...)

	if r.checksum {
		body = append(body, 1, 2, 3, 4)
	}

	return frame(r.id, opMsg, body)
}

func frame(id, opCode uint32, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	out = binary.LittleEndian.AppendUint32(out, id)
	out = binary.LittleEndian.AppendUint32(out, 0)
	out = binary.LittleEndian.AppendUint32(out, opCode)

	return append(out, body...)
}

func marshal(t testing.TB, d bson.D) []byte {
	t.Helper()

	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}

	return raw
}

// received is a request as the server sees it.
type received struct {
	id     uint32
	opCode uint32
	raw    []byte
	answer func(body []byte) // sends one answer
}

// command is the name of an OP_MSG command.
func (r received) command() string {
	doc := bson.Raw(r.document())
	if e, err := doc.IndexErr(0); err == nil {
		return e.Key()
	}

	return ""
}

// document is the command document of an OP_MSG whose sections begin with it.
func (r received) document() []byte {
	if len(r.raw) < 21 {
		return nil
	}

	return r.raw[21:]
}

func (r received) flags() uint32 { return binary.LittleEndian.Uint32(r.raw[16:]) }

// okAnswer is {ok: 1} as the body of an OP_MSG.
func okAnswer(t testing.TB) []byte {
	t.Helper()

	return append(make([]byte, 5), marshal(t, bson.D{{Key: "ok", Value: 1.0}})...)
}

// server plays FerretDB: it hands each request to the test, which decides
// when and what to answer.
type server struct {
	listener net.Listener
	requests chan received
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newServer(t *testing.T) *server {
	t.Helper()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	s := &server{listener: l, requests: make(chan received, 100)}
	s.wg.Go(func() { s.accept(l) })
	t.Cleanup(func() {
		_ = l.Close()
		s.die()
		s.wg.Wait()
	})

	return s
}

func (s *server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}

		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()

		s.wg.Go(func() { s.read(conn) })
	}
}

func (s *server) read(conn net.Conn) {
	for {
		raw, err := readRaw(conn)
		if err != nil {
			return
		}

		id := binary.LittleEndian.Uint32(raw[4:])
		s.requests <- received{
			id: id, opCode: binary.LittleEndian.Uint32(raw[12:]), raw: raw,
			answer: func(body []byte) {
				out := frame(1000+id, opMsg, body)
				binary.LittleEndian.PutUint32(out[8:], id)
				_, _ = conn.Write(out)
			},
		}
	}
}

// die closes every connection, as a crashed server does.
func (s *server) die() {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, c := range s.conns {
		_ = c.Close()
	}
}

// next waits for the next request.
func (s *server) next(t *testing.T) received {
	t.Helper()

	select {
	case r := <-s.requests:
		return r
	case <-time.After(patience):
		t.Fatal("no request reached the server")
		panic("unreachable")
	}
}

func readRaw(r io.Reader) ([]byte, error) {
	header := make([]byte, 16)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}

	raw := make([]byte, binary.LittleEndian.Uint32(header))
	copy(raw, header)
	_, err := io.ReadFull(r, raw[16:])

	return raw, err
}

// start runs a gate in front of the server.
func start(t *testing.T, s *server, change func(*gate.Config)) *gate.Gate {
	t.Helper()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	cfg := gate.Config{Listener: l, Upstream: s.listener.Addr().String()}
	if change != nil {
		change(&cfg)
	}

	g := gate.Start(cfg)
	t.Cleanup(g.Stop)

	return g
}

// client is one connection of a driver.
type client struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, g *gate.Gate) *client {
	t.Helper()

	conn, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })

	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}

	return &client{Conn: conn, t: t}
}

func (c *client) send(r request) {
	c.t.Helper()

	if _, err := c.Write(r.bytes(c.t)); err != nil {
		c.t.Fatal(err)
	}
}

// receive waits for an answer and returns what it answers and its body.
func (c *client) receive() (to uint32, body []byte) {
	c.t.Helper()

	raw, err := readRaw(c)
	if err != nil {
		c.t.Fatal(err)
	}

	return binary.LittleEndian.Uint32(raw[8:]), raw[16:]
}

// closed waits until the gate has closed the connection.
func (c *client) closed() {
	c.t.Helper()

	b := make([]byte, 1)
	if n, err := c.Read(b); n != 0 || errors.Is(err, errTimeout) || err == nil {
		c.t.Fatalf("the connection is still open (read %d bytes, %v)", n, err)
	}
}

var errTimeout = timeoutError()

func timeoutError() error {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()

	_ = a.SetDeadline(time.Unix(1, 0))
	_, err := a.Read(make([]byte, 1))

	return err
}

// insertInto is an insert of one document.
func insertInto(db string, id uint32) request {
	return request{
		id:       id,
		command:  bson.D{{Key: "insert", Value: "jobs"}, {Key: "$db", Value: db}},
		sequence: "documents",
		docs:     []bson.D{{{Key: "_id", Value: int32(id)}}},
	}
}

func find(db string, id uint32) request {
	return request{id: id, command: bson.D{{Key: "find", Value: "jobs"}, {Key: "$db", Value: db}}}
}
