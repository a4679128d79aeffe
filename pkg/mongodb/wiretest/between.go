package wiretest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Between is a server before a real one, whose address is uri. It calls instead
// with each command, and sends what that returns; nil = the real server answers.
// A test so refuses what a real server refuses only at 16 MB, and does what
// somebody else does just before a command arrives.
func Between(t testing.TB, uri string, instead func(command bson.Raw) bson.D) *Server {
	t.Helper()
	behind := options.Client().ApplyURI(uri)
	if len(behind.Hosts) == 0 {
		t.Fatalf("no host in the address of the database: %v", behind.Validate())
	}
	return start(t, &Server{relay: func(client net.Conn) error { return relay(client, behind.Hosts[0], instead) }})
}

// relay passes the messages of one client on, until one of both ends.
func relay(client net.Conn, host string, instead func(bson.Raw) bson.D) error {
	server, err := net.Dial("tcp", host)
	if err != nil {
		return err
	}
	out := &shared{Writer: client}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(out, server)
		_ = client.Close()
	})
	defer back.Wait()
	defer func() { _ = server.Close() }()
	for {
		header, body, err := read(client)
		if err != nil {
			return err
		}
		command, operation, err := commandOf(header, body)
		if err != nil {
			return err
		}
		if reply := answerOf(command, instead); reply != nil {
			err = write(out, header, operation, reply)
		} else {
			_, err = server.Write(append(header, body...))
		}
		if err != nil {
			return err
		}
	}
}

// answerOf asks only about what a program does, never about how a driver gets
// to know its server.
func answerOf(command bson.Raw, instead func(bson.Raw) bson.D) bson.D {
	if db := Database(command); db == "" || strings.EqualFold(Name(command), "isMaster") || db == "admin" {
		return nil
	}
	return instead(command)
}

// shared is a connection to which the server and the test write in turn.
type shared struct {
	mu sync.Mutex
	io.Writer
}

func (s *shared) Write(message []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Writer.Write(message)
}

// Refused is the answer to a write of which the server refuses some statements
// for themselves. matched is how many documents the others matched.
func Refused(code, matched int, statements ...int) bson.D {
	failures := bson.A{}
	for _, i := range statements {
		failures = append(failures, bson.D{{Key: "index", Value: i}, {Key: "code", Value: code}, {Key: "errmsg", Value: "refused by the test"}})
	}
	return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: matched}, {Key: "nModified", Value: matched}, {Key: "writeErrors", Value: failures}}
}

// Unreplicated is the answer to a write that no majority of the servers has yet.
func Unreplicated(matched int) bson.D {
	return bson.D{
		{Key: "ok", Value: 1},
		{Key: "n", Value: matched},
		{Key: "nModified", Value: matched},
		{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "codeName", Value: "WriteConcernFailed"}, {Key: "errmsg", Value: "no majority answers the test"}}},
	}
}

// Failed is the answer to a command that the server refuses as a whole.
func Failed(code int) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: "refused by the test"}}
}

// read reads one message.
func read(conn io.Reader) (header, body []byte, err error) {
	header = make([]byte, 16)
	if _, err := io.ReadFull(conn, header); err != nil {
		return nil, nil, err
	}
	size := binary.LittleEndian.Uint32(header)
	if size < 16 {
		return nil, nil, errors.New("a message is shorter than its header")
	}
	body = make([]byte, size-16)
	_, err = io.ReadFull(conn, body)
	return header, body, err
}
