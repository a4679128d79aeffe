package outagetest_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/outagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that answers each line with itself.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, lines.Text())
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, p *outagetest.Proxy) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

// ask sends a line and returns the answer, or why there was none in time.
func ask(conn net.Conn, answers *bufio.Reader, line string, patience time.Duration) (string, error) {
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	return answers.ReadString('\n')
}

func TestOutages(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, echo(t))
	conn, answers := dial(t, proxy)
	if got, err := ask(conn, answers, "one", time.Minute); got != "one\n" || err != nil {
		t.Fatalf("through the proxy: %q, %v", got, err)
	}

	proxy.Freeze()
	if got, err := ask(conn, answers, "two", 50*time.Millisecond); !os.IsTimeout(err) {
		t.Fatalf("frozen: %q, %v; want a timeout", got, err)
	}
	proxy.Restore()
	if got, err := ask(conn, answers, "three", time.Minute); got != "two\n" || err != nil {
		t.Fatalf("restored: %q, %v; want what was held back", got, err)
	}

	proxy.Cut()
	if got, err := ask(conn, answers, "four", time.Minute); err == nil && got != "three\n" {
		t.Fatalf("cut: %q", got)
	}
	later, laterAnswers := dial(t, proxy)
	if got, err := ask(later, laterAnswers, "five", time.Minute); err == nil {
		t.Fatalf("a connection through a cut proxy: %q", got)
	}
	proxy.Restore()
	conn, answers = dial(t, proxy)
	if got, err := ask(conn, answers, "six", time.Minute); got != "six\n" || err != nil {
		t.Errorf("after the cut: %q, %v", got, err)
	}
}

func TestCutAt(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, echo(t))
	proxy.CutAt("two")
	conn, answers := dial(t, proxy)
	if got, err := ask(conn, answers, "one", time.Minute); got != "one\n" || err != nil {
		t.Fatalf("before: %q, %v", got, err)
	}
	if got, err := ask(conn, answers, "one and two", time.Minute); err == nil {
		t.Fatalf("at the text: %q", got)
	}
	proxy.Restore()
	conn, answers = dial(t, proxy)
	if got, err := ask(conn, answers, "two", time.Minute); got != "two\n" || err != nil {
		t.Errorf("it cuts once, and not again: %q, %v", got, err)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	const delay = 100 * time.Millisecond
	proxy := outagetest.New(t, echo(t))
	conn, answers := dial(t, proxy)
	proxy.Delay(delay)
	began := time.Now()
	if got, err := ask(conn, answers, "one", time.Minute); got != "one\n" || err != nil || time.Since(began) < delay {
		t.Errorf("after %s: %q, %v", time.Since(began), got, err)
	}
	proxy.Delay(time.Hour)
	if got, err := ask(conn, answers, "two", delay); !os.IsTimeout(err) {
		t.Errorf("%q, %v; want a timeout", got, err)
	}
}
