// Package wiretest is a server that speaks just enough of MongoDB's wire
// protocol to be any server that a test needs: a mongos, a secondary, one with
// a wrong clock, one that records what it is told. Tests alone import it.
package wiretest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Server is a running server.
type Server struct {
	listener net.Listener
	answer   func(command bson.Raw) bson.D
	relay    func(client net.Conn) error // nil = answer answers

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	all    sync.WaitGroup
}

const (
	opReply   = 1
	opQuery   = 2004 // how drivers say their first hello
	opMessage = 2013
)

// New returns a server that answers commands with answer, and what answer
// leaves nil with {ok: 1}.
func New(t testing.TB, answer func(command bson.Raw) bson.D) *Server {
	t.Helper()
	return start(t, &Server{answer: answer})
}

// start opens the port. Everything about the server is set before, since
// accept reads it in a goroutine of its own.
func start(t testing.TB, s *Server) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener, s.conns = listener, map[net.Conn]bool{}
	s.all.Go(s.accept)
	t.Cleanup(s.Close)
	return s
}

// Host is its host:port.
func (s *Server) Host() string { return s.listener.Addr().String() }

// Close closes the port and every connection.
func (s *Server) Close() {
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		closed := s.closed
		s.mu.Unlock()
		if closed { // it came while the port was being closed
			conn.Close()
			return
		}
		s.all.Go(func() {
			defer conn.Close()
			if s.relay != nil {
				_ = s.relay(conn)
				return
			}
			for s.serve(conn) == nil {
			}
		})
	}
}

// serve answers one message.
func (s *Server) serve(conn net.Conn) error {
	header, body, err := read(conn)
	if err != nil {
		return err
	}
	command, operation, err := commandOf(header, body)
	if err != nil {
		return err
	}
	return write(conn, header, operation, s.answer(command))
}

// commandOf returns the command in a message, and the kind of the message.
func commandOf(header, body []byte) (command bson.Raw, operation uint32, err error) {
	operation = binary.LittleEndian.Uint32(header[12:])
	switch operation {
	case opMessage:
		command = whole(body)
	case opQuery:
		command = body[4+len("admin.$cmd\x00")+8:]
		command = command[:binary.LittleEndian.Uint32(command)]
	default:
		err = fmt.Errorf("operation %d", operation)
	}
	return command, operation, err
}

// write sends a reply to the message with the header.
func write(conn io.Writer, header []byte, operation uint32, reply bson.D) error {
	if reply == nil {
		reply = bson.D{}
	}
	if !has(reply, "ok") {
		reply = append(reply, bson.E{Key: "ok", Value: 1})
	}
	document, err := bson.Marshal(reply)
	if err != nil {
		return err
	}
	var prefix []byte
	replyOperation := uint32(opMessage)
	if operation == opMessage {
		prefix = make([]byte, 5)
	} else {
		prefix, replyOperation = make([]byte, 20), opReply
		binary.LittleEndian.PutUint32(prefix[16:], 1)
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(16+len(prefix)+len(document)))
	out = binary.LittleEndian.AppendUint32(out, 0)
	out = append(out, header[4:8]...) // in reply to
	out = binary.LittleEndian.AppendUint32(out, replyOperation)
	_, err = conn.Write(append(append(out, prefix...), document...))
	return err
}

// whole is the command of a message, with the documents that came beside it
// (inserts, updates, deletes) as an array, where a server sees them.
func whole(message []byte) bson.Raw {
	command := message[5:] // after the flags and the kind of the section
	rest := command[binary.LittleEndian.Uint32(command):]
	command = command[:len(command)-len(rest)]
	if len(rest) == 0 {
		return bson.Raw(command)
	}
	_, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(message)+16))
	out = append(out, command[4:len(command)-1]...)
	for len(rest) > 5 && rest[0] == 1 {
		section := rest[5 : 1+binary.LittleEndian.Uint32(rest[1:])]
		rest = rest[5+len(section):]
		name, documents, _ := bytes.Cut(section, []byte{0})
		var start int32
		start, out = bsoncore.AppendArrayElementStart(out, string(name))
		for i := 0; len(documents) >= 5; i++ {
			size := binary.LittleEndian.Uint32(documents)
			out = bsoncore.AppendDocumentElement(out, strconv.Itoa(i), documents[:size])
			documents = documents[size:]
		}
		out, _ = bsoncore.AppendArrayEnd(out, start)
	}
	out, _ = bsoncore.AppendDocumentEnd(out, 0)
	return bson.Raw(out)
}

// Name returns the name of a command.
func Name(command bson.Raw) string {
	elements, err := command.Elements()
	if err != nil || len(elements) == 0 {
		return ""
	}
	return elements[0].Key()
}

// Database returns the database that a command is for.
func Database(command bson.Raw) string {
	db, _ := command.Lookup("$db").StringValueOK()
	return db
}

// Greet answers hello as a server with these extra fields does, and buildInfo
// with build.
func Greet(command bson.Raw, hello, build bson.D) bson.D {
	switch Name(command) {
	case "hello", "isMaster", "ismaster":
		// A field that comes twice counts as it comes last.
		out := bson.D{
			{Key: "helloOk", Value: true},
			{Key: "maxWireVersion", Value: 21},
			{Key: "minWireVersion", Value: 0},
			{Key: "maxBsonObjectSize", Value: 16 << 20},
			{Key: "maxMessageSizeBytes", Value: 48_000_000},
			{Key: "maxWriteBatchSize", Value: 100_000},
		}
		if !has(hello, "isWritablePrimary") {
			out = append(out, bson.E{Key: "isWritablePrimary", Value: true}, bson.E{Key: "ismaster", Value: true})
		}
		return append(out, hello...)
	case "buildInfo":
		return build
	case "saslStart": // any password will do
		return bson.D{{Key: "conversationId", Value: 1}, {Key: "done", Value: true}, {Key: "payload", Value: []byte{}}}
	}
	return nil
}

func has(d bson.D, key string) bool {
	for _, e := range d {
		if e.Key == key {
			return true
		}
	}
	return false
}
