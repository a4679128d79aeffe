package measure

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("wrk is not installed")
	}
	var asked atomic.Int64
	var status atomic.Int64
	status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 2)
		n, _ := r.Body.Read(body)
		if r.Method != http.MethodPost || r.URL.Path != "/x" || string(body[:n]) != "{}" ||
			r.Header.Get("Authorization") != "Bearer t" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %q %v", r.Method, r.URL.Path, body[:n], r.Header)
		}
		asked.Add(1)
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	s, c := site{url: server.URL, token: "t"}, call{method: http.MethodPost, path: "/x", body: "{}", admin: true}
	l, err := loadFor(t.Context(), s, c, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	// Those that were on their way at the end are not counted.
	if n := int(asked.Load()); l.requests > n || l.requests < n-httpConnections {
		t.Errorf("%d requests counted, %d answered", l.requests, n)
	}
	if l.p50 <= 0 || l.p99 < l.p50 || l.rate() <= 0 || l.rate() > 2*float64(l.requests) {
		t.Errorf("%+v, rate %f", l, l.rate())
	}
	status.Store(http.StatusTooManyRequests)
	if _, err := loadFor(t.Context(), s, c, time.Second); err == nil || !strings.Contains(err.Error(), "with a failure") {
		t.Errorf("refused requests: %v", err)
	}
	server.Close()
	if _, err := loadFor(t.Context(), s, c, time.Second); err == nil {
		t.Error("a closed server was measured")
	}
}

func TestOutputThatIsNoResult(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"", "unable to connect", "{", `{"requests":0,"microseconds":0}`, "{}\nRequests/sec: 1"} {
		if l, err := readWrk(output); err == nil {
			t.Errorf("%q was read as %+v", output, l)
		}
	}
}
