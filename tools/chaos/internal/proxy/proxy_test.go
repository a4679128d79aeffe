package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/tools/chaos/internal/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; soon is how long it
// waits for what must not.
const (
	patience = 10 * time.Second
	soon     = 200 * time.Millisecond
)

// echo is a server that repeats each line, and tells what it read.
func echo(t *testing.T) (address string, seen <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lines, ended := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection, which the proxy closes
				defer conn.Close()
				for reader := bufio.NewReader(conn); ; {
					line, err := reader.ReadString('\n')
					if line != "" {
						lines <- line
					}
					if err != nil {
						return
					}
					fmt.Fprint(conn, line)
				}
			}()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return listener.Addr().String(), lines
}

func newProxy(t *testing.T) (p *proxy.Proxy, seen <-chan string) {
	t.Helper()
	address, seen := echo(t)
	p, err := proxy.New(func() string { return address })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, seen
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a line and returns what comes back within a time.
func ask(t *testing.T, conn net.Conn, line string, within time.Duration) (string, error) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, line); err != nil {
		return "", err
	}
	return read(conn, len(line))
}

func read(conn net.Conn, n int) (string, error) {
	buffer := make([]byte, n)
	got, err := io.ReadFull(conn, buffer)
	return string(buffer[:got]), err
}

func set(t *testing.T, p *proxy.Proxy, mode proxy.Mode, delay time.Duration) {
	t.Helper()
	if err := p.Set(mode, delay); err != nil {
		t.Fatal(err)
	}
}

func TestPassAndDelay(t *testing.T) {
	t.Parallel()
	p, _ := newProxy(t)
	conn := dial(t, p)
	if got, err := ask(t, conn, "hello\n", patience); got != "hello\n" {
		t.Fatalf("%q, %v", got, err)
	}
	set(t, p, proxy.Pass, 300*time.Millisecond)
	began := time.Now()
	if got, err := ask(t, conn, "slow\n", patience); got != "slow\n" || time.Since(began) < 300*time.Millisecond {
		t.Errorf("%q after %s, %v; want it after 300 ms", got, time.Since(began), err)
	}
}

// What was sent into a black hole arrives after its end, as TCP repeats it.
func TestHole(t *testing.T) {
	t.Parallel()
	p, seen := newProxy(t)
	conn := dial(t, p)
	set(t, p, proxy.Hole, 0)
	if got, err := ask(t, conn, "hello\n", soon); !isTimeout(err) {
		t.Fatalf("%q, %v; want silence", got, err)
	}
	select {
	case line := <-seen:
		t.Fatalf("the server saw %q", line)
	default:
	}
	set(t, p, proxy.Pass, 0)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if got, err := read(conn, 6); got != "hello\n" {
		t.Errorf("%q, %v after the end", got, err)
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	p, _ := newProxy(t)
	conn := dial(t, p)
	if _, err := ask(t, conn, "hello\n", patience); err != nil {
		t.Fatal(err)
	}
	set(t, p, proxy.Refuse, 0)
	if got, err := ask(t, conn, "more\n", patience); err == nil || isTimeout(err) {
		t.Errorf("%q, %v; want a reset", got, err)
	}
	if conn, err := net.Dial("tcp", p.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialled %v, %v; want a refusal", conn, err)
	}
	set(t, p, proxy.Pass, 0)
	if got, err := ask(t, dial(t, p), "hello\n", patience); got != "hello\n" {
		t.Errorf("%q, %v after the end", got, err)
	}
}

func TestTear(t *testing.T) {
	t.Parallel()
	p, seen := newProxy(t)
	conn := dial(t, p)
	set(t, p, proxy.Tear, 0)
	if got, err := ask(t, conn, "123456\n", patience); err == nil || isTimeout(err) {
		t.Errorf("%q, %v; want a reset", got, err)
	}
	select {
	case line := <-seen:
		if line != "123" {
			t.Errorf("the server saw %q, want half of the message", line)
		}
	case <-time.After(soon): // the reset may overtake it
	}
}

// A trap stands for kill -9 of the client: before its request arrives, or after
// it was answered.
func TestTrap(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		p, seen := newProxy(t)
		conn := dial(t, p)
		sprung := make(chan struct{})
		p.SetTrap(&proxy.Trap{Text: "insert", After: after, Do: func() { close(sprung) }})
		if got, err := ask(t, conn, "find\n", patience); got != "find\n" {
			t.Fatalf("%q, %v", got, err)
		}
		<-seen
		if got, err := ask(t, conn, "insert\n", patience); err == nil || isTimeout(err) || strings.Contains(got, "insert") {
			t.Errorf("after %t: %q, %v; want a reset", after, got, err)
		}
		<-sprung
		select {
		case line := <-seen:
			if !after || line != "insert\n" {
				t.Errorf("after %t: the server saw %q", after, line)
			}
		case <-time.After(soon):
			if after {
				t.Error("the server did not see the request")
			}
		}
		if got, err := ask(t, dial(t, p), "insert\n", patience); got != "insert\n" {
			t.Errorf("a trap is for once: %q, %v", got, err)
		}
	}
}

// A server that is away is one that refuses.
func TestNoServer(t *testing.T) {
	t.Parallel()
	p, err := proxy.New(func() string { return "127.0.0.1:1" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		return // the reset was that quick
	}
	defer conn.Close()
	if got, err := ask(t, conn, "hello\n", patience); err == nil || isTimeout(err) {
		t.Errorf("%q, %v; want a reset", got, err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
