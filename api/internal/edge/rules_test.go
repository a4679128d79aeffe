package edge_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// fscan reads the numbers of nginx's status page.
func fscan(from io.Reader, into ...*int) (int, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return 0, err
	}
	fields := strings.FieldsFunc(string(text), func(r rune) bool { return r < '0' || r > '9' })
	for i := range min(len(fields), len(into)) {
		_, _ = fmt.Sscan(fields[i], into[i])
	}
	return len(fields), nil
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path  string
		burst int
	}{
		"api": {"/api/system/jobs", 20}, "auth": {"/api/auth/login", 10}, "auth in capitals": {"/API/Auth/Login", 10},
		"uploads": {"/api/uploads/x/info", 5}, "uploads alone": {"/api/uploads", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, 1)
			client := e.Client()
			passed := 0
			for range test.burst * 4 {
				reply, body, text := e.fetch(client, e.request(http.MethodGet, test.path, nil))
				if reply.StatusCode != http.StatusTooManyRequests {
					passed++
					continue
				}
				if body["error"] != "Too many requests" || body["message"] == nil || reply.Header.Get("Retry-After") != "1" ||
					reply.Header.Get("Content-Type") != "application/json; charset=utf-8" {
					t.Fatalf("429 with %v %s", reply.Header, text)
				}
				return
			}
			t.Errorf("%d requests at once passed, want a refusal soon after %d", passed, test.burst+1)
		})
	}
}

func TestProbesHaveNoLimit(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	client := e.Client()
	for _, path := range []string{"/health", "/livez", "/readyz", "/api/system/health", "/API/System/Health/"} {
		for i := range 60 {
			if status := e.Get(client, path); status != http.StatusOK {
				t.Fatalf("%s, request %d: %d", path, i, status)
			}
		}
	}
}

// Each security header is there once, whoever answers.
func TestHeaders(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	client := e.Client()
	for path, want := range map[string]int{"/": 200, "/api/none": 404, "/console": 404, "/metrics": 404} {
		reply, _, text := e.fetch(client, e.request(http.MethodGet, path, nil))
		if reply.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", path, reply.StatusCode, text, want)
		}
		for _, name := range []string{"Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "X-Request-Id"} {
			if values := reply.Header.Values(name); len(values) != 1 {
				t.Errorf("%s: %s is %q, want one value", path, name, values)
			}
		}
		if server := reply.Header.Get("Server"); server != "nginx" {
			t.Errorf("%s: the server calls itself %q", path, server)
		}
	}
	reply, _, _ := e.fetch(client, e.request(http.MethodGet, "/", nil))
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'self';style-src 'self' 'unsafe-inline';script-src 'self';img-src 'self' data: https:;base-uri 'self';" +
			"font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';object-src 'none';script-src-attr 'none';upgrade-insecure-requests",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Origin-Agent-Cluster": "?1",
		"Referrer-Policy": "no-referrer", "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
		"X-Content-Type-Options": "nosniff", "X-DNS-Prefetch-Control": "off", "X-Download-Options": "noopen", "X-Frame-Options": "SAMEORIGIN",
		"X-Permitted-Cross-Domain-Policies": "none", "X-XSS-Protection": "0",
	} {
		if values := reply.Header.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("the api's %s is %q behind the edge, want %q once", name, values, want)
		}
	}
}

// The id of a client is kept if it is safe, and never lets it write the log.
func TestRequestID(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	for given, kept := range map[string]bool{"abc-123": true, "a\"b": false, strings.Repeat("x", 200): false} {
		request := e.request(http.MethodGet, "/", nil)
		request.Header.Set("X-Request-Id", given)
		request.Header.Set("X-Forwarded-For", "6.6.6.6")
		request.Header.Set("User-Agent", "a\"b\\c\n"[:5])
		reply, _, _ := e.fetch(e.Client(), request)
		if got := reply.Header.Get("X-Request-Id"); (got == given) != kept || got == "" {
			t.Errorf("%q comes back as %q", given, got)
		}
		id := reply.Header.Get("X-Request-Id")
		e.Until("it is logged", func() bool {
			return slices.ContainsFunc(e.Log(), func(l edgetest.Line) bool {
				return l.RequestID == id && l.ClientIP == "127.0.0.1" && l.Status == 200 && l.TLS == "TLSv1.3" && l.Upstream != "" && timed(l)
			})
		})
	}
}

// timed reports whether a line tells how long each part took.
func timed(l edgetest.Line) bool {
	for _, text := range []string{l.UpstreamConnect, l.UpstreamHeader, l.UpstreamDuration} {
		if seconds, err := strconv.ParseFloat(text, 64); err != nil || seconds < 0 {
			return false
		}
	}
	return l.UpstreamStatus == "200"
}

func TestTLS(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	for name, test := range map[string]struct {
		config func(*tls.Config)
		ok     bool
	}{
		"1.3": {func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, true},
		"1.2": {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true},
		"1.1": {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false},
		"no forward secret": {func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
		}, false},
		"CBC": {func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}, false},
	} {
		if status := e.Get(e.Client(test.config), "/livez"); (status == http.StatusOK) != test.ok {
			t.Errorf("%s: status %d, want it to work: %t", name, status, test.ok)
		}
	}
	reply, _, _ := e.fetch(e.Client(), e.request(http.MethodGet, "/", nil))
	if reply.ProtoMajor != 2 {
		t.Errorf("the protocol is %s, want HTTP/2", reply.Proto)
	}
}

// Port 80 moves all but the renewal of certificates to HTTPS.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	challenge := filepath.Join(e.Dir, ".well-known", "acme-challenge")
	if err := os.MkdirAll(challenge, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(challenge, "token"), []byte("proof"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(e.Dir), e.Dir} { // nginx's worker is another user
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	client := e.Client()
	plain := "http://127.0.0.1:" + e.HTTPPort
	reply, err := client.Get(plain + "/api/auth/login?x=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if want := "https://127.0.0.1:" + e.HTTPSPort + "/api/auth/login?x=1"; reply.StatusCode != http.StatusPermanentRedirect || reply.Header.Get("Location") != want {
		t.Errorf("%d to %s, want 308 to %s", reply.StatusCode, reply.Header.Get("Location"), want)
	}
	reply, err = client.Get(plain + "/.well-known/acme-challenge/token")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	if text, _ := io.ReadAll(reply.Body); reply.StatusCode != http.StatusOK || string(text) != "proof" {
		t.Errorf("the proof for the authority: %d %s", reply.StatusCode, text)
	}
}

// Bodies over the limit of a path are refused in JSON, and those within reach
// the api.
func TestBodies(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	for name, test := range map[string]struct {
		path   string
		size   int
		status int
	}{
		"JSON within the limit":       {"/api/auth/refresh", 9 << 20, 400},
		"JSON over that of the api":   {"/api/auth/refresh", 10<<20 + 1000, 413},
		"JSON over that of the edge":  {"/api/auth/refresh", 12 << 20, 413},
		"an upload over that of both": {"/api/uploads/videos", 106 << 20, 413},
	} {
		t.Run(name, func(t *testing.T) {
			request := e.request(http.MethodPost, test.path, io.LimitReader(spaces{}, int64(test.size)))
			request.ContentLength = int64(test.size)
			request.Header.Set("Content-Type", "application/json")
			reply, body, text := e.fetch(e.Client(), request)
			if reply.StatusCode != test.status || body["message"] == nil {
				t.Errorf("%d %s, want %d", reply.StatusCode, text, test.status)
			}
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// A large upload reaches the api while it is being sent: the api refuses who
// is not logged in long before the last byte.
func TestUploadsStream(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	request := e.request(http.MethodPost, "/api/uploads/videos", reader)
	request.Header.Set("Content-Type", form.FormDataContentType())
	stop := make(chan struct{})
	go func() {
		part, err := form.CreateFormFile("video", "a.mp4")
		for err == nil {
			select {
			case <-stop:
				_ = writer.CloseWithError(io.ErrUnexpectedEOF)
				return
			default:
				_, err = part.Write(bytes.Repeat([]byte("x"), 1<<16))
			}
		}
	}()
	reply, _, text := e.fetch(e.Client(func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }), request)
	close(stop)
	if reply.StatusCode < 400 || reply.StatusCode >= 500 || reply.StatusCode == http.StatusRequestTimeout {
		t.Errorf("%d %s, want the refusal of the api before the upload has ended", reply.StatusCode, text)
	}
}

// The largest film that the api takes passes, and nothing of it is kept by the
// edge on the way.
func TestLargestUpload(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	client := e.Client()
	account := `{"name":"Anna","email":"a@example.com","password":"correct horse"}`
	var token string
	for _, path := range []string{"/api/auth/register", "/api/auth/login"} {
		request := e.request(http.MethodPost, path, strings.NewReader(account))
		request.Header.Set("Content-Type", "application/json")
		_, body, text := e.fetch(client, request)
		if token, _ = body["token"].(string); body["error"] != nil {
			t.Fatalf("%s: %s", path, text)
		}
	}
	const size = 100 << 20
	film := mediatest.Sample(mediafile.MP4)
	rest := size - len(film)
	film = append(film, byte(rest>>24), byte(rest>>16), byte(rest>>8), byte(rest), 'f', 'r', 'e', 'e') // a box that players skip
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	go func() {
		part, err := form.CreateFormFile("video", "a.mp4")
		if err == nil {
			_, err = io.Copy(part, io.MultiReader(bytes.NewReader(film), io.LimitReader(spaces{}, size-int64(len(film)))))
		}
		_ = writer.CloseWithError(errors.Join(err, form.Close()))
	}()
	request := e.request(http.MethodPost, "/api/uploads/videos", reader)
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("Authorization", "Bearer "+token)
	reply, _, text := e.fetch(client, request)
	if reply.StatusCode != http.StatusOK && reply.StatusCode != http.StatusCreated {
		t.Errorf("%d %s, want it to be taken", reply.StatusCode, text)
	}
	logged, err := os.ReadFile(filepath.Join(e.Dir, "error.log"))
	if err != nil || bytes.Contains(logged, []byte("buffered to a temporary file")) {
		t.Errorf("the edge has kept the upload: %s %v", logged, err)
	}
}

// A client that sends its header drop by drop is cut off.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", e.HTTPSPort), &tls.Config{RootCAs: e.Roots})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	began := time.Now()
	if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: localhost\r\n"); err != nil {
		t.Fatal(err)
	}
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		_, _ = bufio.NewReader(connection).ReadString(0)
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-cut:
			return
		case <-tick.C:
			if time.Since(began) > edgetest.Patience {
				t.Fatal("it is still connected")
			}
			_, _ = io.WriteString(connection, "X-A: b\r\n")
		}
	}
}

// A client that stops in the middle of its body is cut off.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", e.HTTPSPort), &tls.Config{RootCAs: e.Roots})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if err := connection.SetReadDeadline(time.Now().Add(edgetest.Patience)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(connection)
	if errors.Is(err, os.ErrDeadlineExceeded) || len(text) > 0 {
		t.Errorf("%q, %v; want the end of the connection", text, err)
	}
}

// The console is for networks that the operator names, and metrics are for
// nobody.
func TestClosedPaths(t *testing.T) {
	t.Parallel()
	e := start(t, 1, "NGINX_CONSOLE_ALLOW=192.0.2.0/24 198.51.100.7")
	for path, test := range map[string]struct {
		status int
		title  string
	}{
		"/console": {403, "Forbidden"}, "/Console/jobs": {403, "Forbidden"}, "/metrics": {404, "Route not found"}, "/METRICS/x": {404, "Route not found"},
	} {
		reply, body, text := e.fetch(e.Client(), e.request(http.MethodGet, path, nil))
		if reply.StatusCode != test.status || body["error"] != test.title || body["message"] == nil {
			t.Errorf("%s: %d %s, want %d %s", path, reply.StatusCode, text, test.status, test.title)
		}
	}
	e.Until("it is logged", func() bool { return len(e.Log()) >= 5 })
	for _, line := range e.Log() {
		if line.Path != "/livez" && line.Upstream != "" {
			t.Errorf("%s reached the api", line.Path)
		}
	}
}

// What is not HTTP, or too long, is answered in JSON as all else.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	for name, test := range map[string]struct {
		request string
		status  string
	}{
		"no HTTP":         {"hello\r\n\r\n", "400"},
		"no host name":    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
		"a long address":  {"GET /" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "431"},
		"a long header":   {"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", "431"},
		"without a host":  {"GET / HTTP/1.1\r\n\r\n", "400"},
		"many headers":    {"GET / HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-A: "+strings.Repeat("x", 4<<10)+"\r\n", 20) + "\r\n", "431"},
		"a negative body": {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "400"},
	} {
		connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", e.HTTPSPort), &tls.Config{RootCAs: e.Roots})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(connection, test.request) // it may be refused before its end
		reply, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var body struct{ Error, Message string }
		err = json.NewDecoder(reply.Body).Decode(&body)
		if !strings.HasPrefix(reply.Status, test.status) || err != nil || body.Error == "" || body.Message == "" {
			t.Errorf("%s: %s %+v %v, want %s in JSON", name, reply.Status, body, err, test.status)
		}
		_ = connection.Close()
	}
}

// One address may not hold every connection.
func TestConnectionsOfOneAddress(t *testing.T) {
	t.Parallel()
	e := start(t, 1, "NGINX_CONNECTIONS=5")
	var held []net.Conn
	for range 5 { // requests that have begun and do not end
		connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", e.HTTPSPort), &tls.Config{RootCAs: e.Roots})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		if _, err := io.WriteString(connection, "POST /api/uploads/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		held = append(held, connection)
	}
	e.Until("the sixth is refused", func() bool { return e.Get(e.Client(), "/livez") == http.StatusTooManyRequests })
	for _, connection := range held {
		_ = connection.Close()
	}
	e.Until("it is served when they are gone", func() bool { return e.Get(e.Client(), "/livez") == http.StatusOK })
}

// What cannot work is refused in one sentence that names the variable and the
// mend.
func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, key, _ := edgetest.SelfMade(t, dir, time.Now().Add(time.Hour))
	otherDir := t.TempDir()
	expired, expiredKey, _ := edgetest.SelfMade(t, otherDir, time.Now().Add(-time.Hour))
	early, earlyKey, _ := edgetest.SelfMadeFrom(t, t.TempDir(), time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"not yet valid":    {[]string{"NGINX_CERTIFICATE=" + early, "NGINX_CERTIFICATE_KEY=" + earlyKey}, "is not valid before "},
		"no certificate":   {[]string{"NGINX_CERTIFICATE=/none.pem"}, "NGINX_CERTIFICATE /none.pem cannot be read; put the certificate chain there"},
		"no PEM":           {[]string{"NGINX_CERTIFICATE=" + key}, "is not a certificate in PEM"},
		"expired":          {[]string{"NGINX_CERTIFICATE=" + expired, "NGINX_CERTIFICATE_KEY=" + expiredKey}, "expired on "},
		"another's key":    {[]string{"NGINX_CERTIFICATE_KEY=" + expiredKey}, "does not belong to"},
		"a port":           {[]string{"NGINX_HTTPS_PORT=https"}, `NGINX_HTTPS_PORT "https" cannot be used; write a port, such as 443`},
		"an upstream":      {[]string{"NGINX_UPSTREAM=api"}, `NGINX_UPSTREAM "api" cannot be used`},
		"injection":        {[]string{"NGINX_SERVER_NAME=a; } evil {"}, "NGINX_SERVER_NAME"},
		"stapling":         {[]string{"NGINX_STAPLING=on"}, "NGINX_STAPLING on needs NGINX_RESOLVER"},
		"networks":         {[]string{"NGINX_CONSOLE_ALLOW=all"}, "NGINX_CONSOLE_ALLOW"},
		"a size":           {[]string{"NGINX_UPLOAD_LIMIT=big"}, "NGINX_UPLOAD_LIMIT"},
		"nginx is missing": {[]string{"NGINX_PROGRAM=/none/nginx"}, "NGINX_PROGRAM /none/nginx does not run; install nginx"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "nginx is missing" {
				edgetest.NeedsNginx(t)
			}
			out := t.TempDir()
			text, err := edgetest.Render(t, out, append([]string{"NGINX_CERTIFICATE=" + good, "NGINX_CERTIFICATE_KEY=" + key}, test.env...))
			if err == nil || !strings.Contains(text, test.want) || strings.Count(text, "\n") != 1 {
				t.Errorf("%v %q, want one line with %q", err, text, test.want)
			}
			if _, err := os.Stat(filepath.Join(out, "nginx.conf")); err == nil {
				t.Error("it wrote a configuration all the same")
			}
		})
	}
}
