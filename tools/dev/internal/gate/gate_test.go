package gate_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/dev/internal/gate"
)

func TestWritesToOneDatabaseWaitForEachOther(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	g := start(t, s, nil)
	first, second, reader, other := dial(t, g), dial(t, g), dial(t, g), dial(t, g)

	first.send(insertInto("a", 1))
	held := s.next(t)

	second.send(insertInto("a", 2))

	// What does not wait overtakes the second write, which was sent before it.
	reader.send(find("a", 3))
	if r := s.next(t); r.id != 3 {
		t.Fatalf("request %d reached the server, want the read (3)", r.id)
	} else {
		r.answer(okAnswer(t))
	}

	other.send(insertInto("b", 4))
	if r := s.next(t); r.id != 4 {
		t.Fatalf("request %d reached the server, want the write to the other database (4)", r.id)
	} else {
		r.answer(okAnswer(t))
	}

	reader.receive()
	other.receive()

	held.answer(okAnswer(t))

	if r := s.next(t); r.id != 2 {
		t.Fatalf("request %d reached the server, want the second write (2)", r.id)
	} else {
		r.answer(okAnswer(t))
	}

	if to, _ := second.receive(); to != 2 {
		t.Errorf("the answer is to request %d, want 2", to)
	}
}

func TestLockIsHeldUntilTheServerAnswersThoughTheClientIsGone(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	g := start(t, s, nil)
	leaver, waiter := dial(t, g), dial(t, g)

	leaver.send(insertInto("a", 1))
	held := s.next(t)
	_ = leaver.Close()

	waiter.send(insertInto("a", 2))
	waiter2 := dial(t, g)
	waiter2.send(find("a", 3)) // proves that the gate had time to pass 2 on

	if r := s.next(t); r.id != 3 {
		t.Fatalf("request %d reached the server while the first write was not answered", r.id)
	}

	held.answer(okAnswer(t))

	if r := s.next(t); r.id != 2 {
		t.Errorf("request %d reached the server, want 2", r.id)
	}
}

func TestServerDeathFreesTheLockAndClosesTheClient(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	g := start(t, s, nil)
	victim := dial(t, g)

	victim.send(insertInto("a", 1))
	s.next(t)
	s.die()
	victim.closed()

	next := dial(t, g)
	next.send(insertInto("a", 2))
	s.next(t).answer(okAnswer(t))

	if to, _ := next.receive(); to != 2 {
		t.Errorf("the answer is to request %d, want 2", to)
	}
}

func TestUnacknowledgedWriteHoldsTheLockAndGetsNoAnswer(t *testing.T) {
	t.Parallel()

	for _, checksum := range []bool{false, true} {
		s := newServer(t)
		g := start(t, s, nil)
		c, waiter := dial(t, g), dial(t, g)

		silent := insertInto("a", 1)
		silent.flags, silent.checksum = moreToCome, checksum
		if checksum {
			silent.flags |= checksumPresent
		}

		c.send(silent)
		held := s.next(t)

		if held.flags() != 0 {
			t.Errorf("the server got the flags %#x: it would not answer", held.flags())
		}

		if n := binary.LittleEndian.Uint32(held.raw); int(n) != len(held.raw) {
			t.Errorf("length %d for %d bytes", n, len(held.raw))
		}

		waiter.send(insertInto("a", 2))
		held.answer(okAnswer(t))
		s.next(t).answer(okAnswer(t))
		waiter.receive()

		// The next answer that the client sees is to its next request.
		c.send(find("a", 3))
		s.next(t).answer(okAnswer(t))

		if to, _ := c.receive(); to != 3 {
			t.Errorf("the client got an answer to request %d, want 3", to)
		}
	}
}

func TestMessagesMayComeInPieces(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	c := dial(t, start(t, s, nil))

	raw := append(find("a", 1).bytes(t), find("a", 2).bytes(t)...)
	for _, b := range raw {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}

	for want := uint32(1); want <= 2; want++ {
		r := s.next(t)
		r.answer(okAnswer(t))

		if to, _ := c.receive(); r.id != want || to != want {
			t.Errorf("request %d was answered as %d, want %d", r.id, to, want)
		}
	}
}

func TestMessageSizes(t *testing.T) {
	t.Parallel()

	const most = 48_000_000

	t.Run("48 MB pass unchanged both ways", func(t *testing.T) {
		t.Parallel()

		s := newServer(t)
		c := dial(t, start(t, s, nil))

		raw := padded(t, most)

		go func() { _, _ = c.Write(raw) }()

		r := s.next(t)
		if !bytes.Equal(r.raw, raw) {
			t.Error("the message was changed on the way")
		}

		go r.answer(raw[16:])

		if _, body := c.receive(); !bytes.Equal(body, raw[16:]) {
			t.Error("the answer was changed on the way")
		}
	})

	for name, length := range map[string]uint32{
		"longer than 48 MB": most + 1, "shorter than its header": 15, "negative": 1 << 31,
	} {
		t.Run(name+" closes the connection", func(t *testing.T) {
			t.Parallel()

			c := dial(t, start(t, newServer(t), nil))

			raw := find("a", 1).bytes(t)
			binary.LittleEndian.PutUint32(raw, length)

			if _, err := c.Write(raw); err != nil {
				t.Fatal(err)
			}

			c.closed()
		})
	}
}

// padded is a find of a given size. It is put together by hand because
// marshalling so much takes the race detector half a minute.
func padded(t *testing.T, size int) []byte {
	t.Helper()

	doc := marshal(t, find("a", 1).command)
	doc = append(doc[:len(doc)-1], "\x05pad\x00"...)
	doc = append(doc, make([]byte, 4+1)...) // length and subtype
	length := len(doc) - 5

	pad := make([]byte, size-16-5-len(doc)-1)
	doc = append(append(doc, pad...), 0)

	binary.LittleEndian.PutUint32(doc[length:], uint32(len(pad)))
	binary.LittleEndian.PutUint32(doc, uint32(len(doc)))

	raw := frame(1, opMsg, append(make([]byte, 5), doc...))
	if len(raw) != size {
		t.Fatalf("the message has %d bytes, want %d", len(raw), size)
	}

	return raw
}

func TestRequestsThatTheGateCannotReadCloseTheConnection(t *testing.T) {
	t.Parallel()

	msg := insertInto("a", 1).bytes(t)
	query := slices.Concat(make([]byte, 4), []byte("db.things\x00"), make([]byte, 8), marshal(t, bson.D{{Key: "a", Value: 1}}))

	cases := map[string][]byte{
		"compressed":               frame(1, opCompressed, msg[16:]),
		"legacy insert":            frame(1, 2002, msg[16:]),
		"no flags":                 frame(1, opMsg, []byte{0}),
		"no section":               frame(1, opMsg, make([]byte, 4)),
		"unknown section":          frame(1, opMsg, []byte{0, 0, 0, 0, 2, 5, 0, 0, 0, 0}),
		"section longer than it":   frame(1, opMsg, []byte{0, 0, 0, 0, 0, 9, 0, 0, 0, 0}),
		"two commands":             frame(1, opMsg, slices.Concat(msg[16:], []byte{0}, marshal(t, bson.D{{Key: "a", Value: 1}}))),
		"empty command":            frame(1, opMsg, slices.Concat(make([]byte, 5), marshal(t, bson.D{}))),
		"no database":              frame(1, opMsg, slices.Concat(make([]byte, 5), marshal(t, bson.D{{Key: "find", Value: "x"}}))),
		"query that is no command": frame(1, opQuery, query),
	}

	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newServer(t)
			c := dial(t, start(t, s, nil))

			if _, err := c.Write(raw); err != nil {
				t.Fatal(err)
			}

			c.closed()

			if n := len(s.requests); n != 0 {
				t.Errorf("%d requests reached the server", n)
			}
		})
	}
}

func TestGreetingPasses(t *testing.T) {
	t.Parallel()

	s := newServer(t)

	var seen sync.Map

	c := dial(t, start(t, s, func(cfg *gate.Config) {
		cfg.OnCommand = func(db, name string) { seen.Store(db+" "+name, true) }
	}))

	hello := marshal(t, bson.D{{Key: "ismaster", Value: 1}, {Key: "helloOk", Value: true}})
	body := slices.Concat(make([]byte, 4), []byte("admin.$cmd\x00"), make([]byte, 4), []byte{255, 255, 255, 255}, hello)

	if _, err := c.Write(frame(7, opQuery, body)); err != nil {
		t.Fatal(err)
	}

	r := s.next(t)
	if r.opCode != opQuery || !bytes.Equal(r.raw[16:], body) {
		t.Error("the greeting was changed on the way")
	}

	r.answer(okAnswer(t))

	if to, _ := c.receive(); to != 7 {
		t.Errorf("the answer is to request %d, want 7", to)
	}

	if _, ok := seen.Load("admin ismaster"); !ok {
		t.Error("OnCommand did not see the greeting")
	}
}

func TestAfterWriteRunsBeforeTheAnswerAndAlone(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	called, proceed := make(chan gate.Command), make(chan struct{})
	g := start(t, s, func(cfg *gate.Config) {
		cfg.AfterWrite = func(c gate.Command) {
			called <- c
			<-proceed
		}
	})

	c, waiter := dial(t, g), dial(t, g)

	c.send(find("shop", 1)) // not a write: not reported
	s.next(t).answer(okAnswer(t))
	c.receive()

	c.send(request{id: 2, command: bson.D{
		{Key: "renameCollection", Value: "shop.old"}, {Key: "to", Value: "shop.new"}, {Key: "$db", Value: "admin"},
	}})
	s.next(t).answer(okAnswer(t))

	want := gate.Command{DB: "shop", Name: "renameCollection", Collection: "new"}
	if got := <-called; got != want {
		t.Errorf("AfterWrite got %+v, want %+v", got, want)
	}

	waiter.send(insertInto("shop", 3))
	c2 := dial(t, g)
	c2.send(find("shop", 4))

	if r := s.next(t); r.id != 4 {
		t.Errorf("request %d reached the server while AfterWrite was running", r.id)
	} else {
		r.answer(okAnswer(t))
		c2.receive()
	}

	proceed <- struct{}{}

	if to, _ := c.receive(); to != 2 {
		t.Errorf("the answer is to request %d, want 2", to)
	}

	s.next(t).answer(okAnswer(t))
	<-called
	proceed <- struct{}{}
	waiter.receive()
}

func TestStopClosesWaitingClients(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	g := start(t, s, nil)
	idle, working, waiting := dial(t, g), dial(t, g), dial(t, g)

	working.send(insertInto("a", 1))
	s.next(t)
	waiting.send(insertInto("a", 2))

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)

		g.Stop()
		g.Stop()
	}()

	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("Stop does not return")
	}

	for _, c := range []*client{idle, working, waiting} {
		c.closed()
	}
}

func TestUnreachableServerClosesTheClient(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	g := start(t, s, nil)
	_ = s.listener.Close()

	dial(t, g).closed()
}

func TestOnCommandCounts(t *testing.T) {
	t.Parallel()

	s := newServer(t)

	var (
		mu   sync.Mutex
		seen []string
	)

	c := dial(t, start(t, s, func(cfg *gate.Config) {
		cfg.OnCommand = func(db, name string) {
			mu.Lock()
			defer mu.Unlock()

			seen = append(seen, db+" "+name)
		}
	}))

	for i, r := range []request{find("a", 1), insertInto("b", 2), find("b", 3)} {
		c.send(r)
		s.next(t).answer(okAnswer(t))

		if to, _ := c.receive(); to != uint32(i+1) {
			t.Errorf("the answer is to request %d, want %d", to, i+1)
		}
	}

	mu.Lock()
	defer mu.Unlock()

	if diff := cmp.Diff([]string{"a find", "b insert", "b find"}, seen); diff != "" {
		t.Error(diff)
	}
}
