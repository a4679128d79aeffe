package backupmongo_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// server speaks MongoDB's protocol as a member of a replica set of version 7,
// and answers as a test tells it to: the embedded engine of the other tests has
// neither snapshots nor views.
type server struct {
	t       *testing.T
	answers map[string]func(command bson.Raw) bson.D

	mu   sync.Mutex
	seen []bson.Raw
}

// serve starts the server and returns a database on it.
func serve(t *testing.T, answers map[string]func(bson.Raw) bson.D) (*server, *mongo.Database) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, answers: answers}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.converse(conn) })
		}
	})
	// The stable API makes the driver say hello in the present protocol.
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + listener.Addr().String() + "/?directConnection=true").
		SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
		_ = listener.Close()
		running.Wait()
	})
	return s, client.Database("etrainer")
}

const (
	headerLength = 16
	opMsg        = 2013
)

func (s *server) converse(conn net.Conn) {
	defer conn.Close()
	for {
		var head [headerLength]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:])-headerLength)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		if op := binary.LittleEndian.Uint32(head[12:]); op != opMsg {
			s.t.Errorf("a message of kind %d", op)
			return
		}
		answer, err := bson.Marshal(s.answer(bson.Raw(body[5:]))) // behind the flags and the kind of the section
		if err != nil {
			s.t.Error(err)
			return
		}
		out := binary.LittleEndian.AppendUint32(nil, uint32(headerLength+5+len(answer)))
		out = append(out, 0, 0, 0, 0)
		out = append(out, head[4:8]...) // what it answers
		out = binary.LittleEndian.AppendUint32(out, opMsg)
		out = append(out, 0, 0, 0, 0, 0)
		if _, err := conn.Write(append(out, answer...)); err != nil {
			return
		}
	}
}

func (s *server) answer(command bson.Raw) bson.D {
	elements, err := command.Elements()
	if err != nil {
		s.t.Error(err)
		return nil
	}
	name := elements[0].Key()
	switch name {
	case "hello", "ping", "endSessions":
		return bson.D{
			{Key: "ok", Value: 1},
			{Key: "isWritablePrimary", Value: true},
			{Key: "setName", Value: "rs0"},
			{Key: "minWireVersion", Value: 0},
			{Key: "maxWireVersion", Value: 21},
			{Key: "logicalSessionTimeoutMinutes", Value: 30},
			{Key: "maxBsonObjectSize", Value: 16 << 20},
			{Key: "maxMessageSizeBytes", Value: 48 << 20},
			{Key: "maxWriteBatchSize", Value: 100000},
		}
	}
	s.mu.Lock()
	s.seen = append(s.seen, command)
	s.mu.Unlock()
	answer, ok := s.answers[name]
	if !ok {
		s.t.Errorf("nobody answers %s", command)
		return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 59}, {Key: "errmsg", Value: "no such command"}}
	}
	return answer(command)
}

// finds returns the reads of collections, without the one that tries.
func (s *server) finds() []bson.Raw {
	return slices.DeleteFunc(s.commands("find"), func(command bson.Raw) bool {
		return command.Lookup("find").StringValue() == "backupSnapshotProbe"
	})
}

// commands returns what was asked by a name.
func (s *server) commands(name string) []bson.Raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []bson.Raw
	for _, command := range s.seen {
		if _, err := command.LookupErr(name); err == nil {
			out = append(out, command)
		}
	}
	return out
}

// page answers with documents that are all there are.
func page(namespace string, documents ...any) bson.D {
	if documents == nil {
		documents = bson.A{}
	}
	return bson.D{{Key: "ok", Value: 1}, {Key: "cursor", Value: bson.D{
		{Key: "id", Value: int64(0)},
		{Key: "ns", Value: namespace},
		{Key: "firstBatch", Value: bson.A(documents)},
		{Key: "atClusterTime", Value: bson.Timestamp{T: 42, I: 7}},
	}}}
}
