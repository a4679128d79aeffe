package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/api/internal/uploads"
	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

const (
	// impatience is how long the listener of these tests waits for a client.
	impatience = 300 * time.Millisecond
	// patience bounds what must end by itself.
	patience = 30 * time.Second
)

// listen runs the whole api behind its real listener, which waits for nobody.
func listen(t *testing.T) (*apitest.API, string) {
	t.Helper()
	return listenOver(t, t.TempDir())
}

// listenOver is listen with a folder of uploaded files.
func listenOver(t *testing.T, dir string) (*apitest.API, string) {
	t.Helper()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{MediaDir: dir, Uploads: func(o *uploads.Options) {
		o.Pause, o.Longest = impatience, 2*impatience
	}})
	listener := server.New(server.Options{
		Address: "127.0.0.1:0", HeaderTimeout: impatience, BodyTimeout: 2 * impatience, Log: slog.New(slog.DiscardHandler),
	})
	listener.Use(api.Handler)
	if err := listener.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return api, listener.Address().String()
}

// connection is one connection to the listener, for bytes that no client of Go
// would send.
type connection struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, address string) *connection {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &connection{conn, t}
}

func (c *connection) send(text string) {
	c.t.Helper()
	// A server that has answered may close while the rest is sent.
	_, _ = io.WriteString(c, text)
}

// ended returns what came until the server closed the connection.
func (c *connection) ended() string {
	c.t.Helper()
	text, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("the connection is still open; it has %q", text)
	}
	return string(text) // a reset is an end as well
}

// answer reads one reply.
func (c *connection) answer() (*http.Response, string) {
	c.t.Helper()
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply, string(text)
}

func TestOversizedHeaders(t *testing.T) {
	t.Parallel()
	_, address := listen(t)
	large := strings.Repeat("a", 64<<10)
	var many bytes.Buffer
	for i := range 4000 {
		fmt.Fprintf(&many, "X-%d: value\r\n", i)
	}
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"usual":                 {"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200},
		"large but allowed":     {"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: " + large[:20<<10] + "\r\n\r\n", 200},
		"one large header":      {"GET /livez HTTP/1.1\r\nHost: x\r\nCookie: " + large + "\r\n\r\n", 431},
		"a large token":         {"GET /api/system/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + large + "\r\n\r\n", 431},
		"many headers":          {"GET /livez HTTP/1.1\r\nHost: x\r\n" + many.String() + "\r\n", 431},
		"a long address":        {"GET /" + large + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
		"a long name":           {"GET /livez HTTP/1.1\r\nHost: x\r\n" + large + ": x\r\n\r\n", 431},
		"a header without end":  {"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + large, 431},
		"a method without end":  {large, 431},
		"a large trailer chunk": {"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1;" + large + "\r\n{\r\n0\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, address)
			c.send(test.request)
			if reply, text := c.answer(); reply.StatusCode != test.status || len(text) > 1000 {
				t.Errorf("%d %.200s, want %d", reply.StatusCode, text, test.status)
			}
		})
	}
}

// TestSlowClients: a client that stops sending loses its connection, and others
// are served meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	api, address := listen(t)
	token := api.Token(t, "admin@example.com")
	post := "POST /api/system/jobs/schedule HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\n"
	for name, test := range map[string]struct{ request, want string }{
		"nothing":              {"", ""},
		"half a request line":  {"GET /liv", ""},
		"half a header":        {"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: a", ""},
		"headers without end":  {"GET /livez HTTP/1.1\r\nHost: x\r\n", ""},
		"half a body":          {post + "Content-Length: 1000\r\n\r\n{\"name\":", "HTTP/1.1 408 "},
		"no body":              {post + "Content-Length: 1000\r\n\r\n", "HTTP/1.1 408 "},
		"half a chunk":         {post + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n{\"name\":", "HTTP/1.1 408 "},
		"a login without body": {"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{", "HTTP/1.1 408 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow := dial(t, address)
			slow.send(test.request)
			other := dial(t, address)
			other.send("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if reply, _ := other.answer(); reply.StatusCode != http.StatusOK {
				t.Errorf("another client meanwhile: %d", reply.StatusCode)
			}
			got := slow.ended()
			if !strings.HasPrefix(got, test.want) || test.want == "" && strings.Contains(got, "200 OK") {
				t.Errorf("it got %q, want %q…", got, test.want)
			}
			if test.want != "" && !strings.HasSuffix(got, tooSlow) {
				t.Errorf("it got %q", got)
			}
		})
	}
}

// tooSlow is the body of a 408.
const tooSlow = `{"error":"Request timeout","message":"the request came too slowly; send it again"}`

// TestSlowUploads: an upload that stands still, or drips, is ended like any
// other request, and leaves nothing.
func TestSlowUploads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	api, address := listenOver(t, dir)
	begin := "POST /api/uploads/images HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + api.Token(t, "admin@example.com") +
		"\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 5000000\r\n\r\n"
	head := "--x\r\nContent-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\n\r\n"
	picture := string(mediatest.PNG(4, 4))
	for name, test := range map[string]struct {
		request string
		drips   bool
	}{
		"no body":            {begin, false},
		"half a header":      {begin + head[:20], false},
		"half a head":        {begin + head + picture, false},
		"half a file":        {begin + head + picture + strings.Repeat("a", 100<<10), false},
		"a file, and drops":  {begin + head + picture + strings.Repeat("a", 30<<10), true},
		"drops of a header":  {begin + head[:20], true},
		"a file, half a one": {begin + head + picture + "\r\n" + head + picture + strings.Repeat("a", 30<<10), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, address)
			c.send(test.request)
			got := c.end(test.drips)
			if !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.HasSuffix(got, tooSlow) {
				t.Errorf("it got %q", got)
			}
		})
	}
	t.Cleanup(func() { // the parallel tests have ended
		edgetest.Until(t, "nothing is left", func() bool {
			entries, err := os.ReadDir(filepath.Join(dir, "incoming"))
			return err == nil && len(entries) == 0
		})
		for _, below := range []string{"files", "variants"} {
			if entries, err := os.ReadDir(filepath.Join(dir, below)); err != nil || len(entries) != 0 {
				t.Errorf("%s: %v, %v", below, entries, err)
			}
		}
	})
}

// end waits for the end of the connection, and sends a drop now and then
// meanwhile if it is to drip.
func (c *connection) end(drip bool) string {
	c.t.Helper()
	if !drip {
		return c.ended()
	}
	over := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(c) // a reset is an end as well
		over <- string(text)
	}()
	tick := time.NewTicker(impatience / 10)
	defer tick.Stop()
	for {
		select {
		case got := <-over:
			return got
		case <-tick.C:
			_, _ = io.WriteString(c, "a")
		}
	}
}

// TestADrippingClient sends a byte at a time, so that something always comes.
func TestADrippingClient(t *testing.T) {
	t.Parallel()
	_, address := listen(t)
	for name, begin := range map[string]string{
		"header": "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"body":   "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{\"email\":\"",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, address)
			c.send(begin)
			tick := time.NewTicker(impatience / 10)
			defer tick.Stop()
			over := make(chan struct{})
			go func() {
				defer close(over)
				c.ended()
			}()
			for drops := 0; ; drops++ {
				select {
				case <-over:
					if drops == 0 {
						t.Error("it was not given any time")
					}
					return
				case <-tick.C:
					_, _ = io.WriteString(c, "a")
				}
			}
		})
	}
}

// TestInjectedHeaders: no value of a request makes a header, or a second reply.
func TestInjectedHeaders(t *testing.T) {
	t.Parallel()
	api, address := listen(t)
	token := api.Token(t, "admin@example.com")
	const evil = "x\r\nSet-Cookie: evil=1"
	get := func(lines ...string) string {
		return "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"two headers in one":        {get("X-Request-Id: " + evil), 200}, // they are two headers of the request
		"escaped in the address":    {"GET /x%0d%0aSet-Cookie:%20evil=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
		"escaped in the query":      {"GET /?a=%0d%0aSet-Cookie:%20evil=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200},
		"escaped in a parameter":    {"GET /api/system/jobs/%0d%0aSet-Cookie:%20evil=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nConnection: close\r\n\r\n", 400},
		"a bare carriage return":    {get("X-Request-Id: x\rSet-Cookie: evil=1"), 400},
		"a zero byte":               {get("X-Request-Id: x\x00Set-Cookie: evil=1"), 400},
		"a line feed alone":         {get("X-Request-Id: x\nSet-Cookie: evil=1"), 200}, // a line ends with it, too
		"a folded line":             {get("X-Request-Id: x\r\n Set-Cookie: evil=1"), 200},
		"a name with a space":       {get("X-Request-Id : x"), 400},
		"an origin":                 {get("Origin: https://app.test\rSet-Cookie: evil=1"), 400},
		"asked headers":             {"OPTIONS /api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccess-Control-Request-Headers: a\rSet-Cookie: evil=1\r\n\r\n", 400},
		"a host":                    {"GET /livez HTTP/1.1\r\nHost: x\rSet-Cookie: evil=1\r\nConnection: close\r\n\r\n", 400},
		"two lengths":               {"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}GET /livez HTTP/1.1\r\n\r\n", 400},
		"a coding that is none":     {"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
		"a length with a sign":      {"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}", 400},
		"an idempotency key":        {"POST /api/system/jobs/schedule HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\nIdempotency-Key: x\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n", 400},
		"forwarded by an untrusted": {get("X-Forwarded-For: 1.2.3.4, " + evil), 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, address)
			c.send(test.request)
			got := c.ended()
			head, _, _ := strings.Cut(got, "\r\n\r\n")
			if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", test.status)) {
				t.Errorf("%.300q, want %d", got, test.status)
			}
			if strings.Contains(head, "Set-Cookie") || strings.Contains(head, "evil") {
				t.Errorf("a header was injected: %q", head)
			}
			if replies := strings.Count(got, "HTTP/1.1 "); replies != 1 {
				t.Errorf("%d replies to one request: %q", replies, got)
			}
		})
	}
}
