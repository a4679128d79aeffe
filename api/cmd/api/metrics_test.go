package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestMetricsThatAlertsRelyOn asks the private port of a running api: an alert
// or a chart on a metric that is gone would be silent for ever.
//
//nolint:paralleltest // it sets the environment
func TestMetricsThatAlertsRelyOn(t *testing.T) {
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	port := freePort(t)
	p := startWith(t, mongotest.URI(t)+db.Name(), map[string]string{"API_PRIVATE_PORT": port})
	p.until(t, "/readyz", http.StatusOK)
	text := exposition(t, "http://127.0.0.1:"+port+"/metrics")
	relied, err := os.ReadFile("../../../deploy/prometheus/metrics/api.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(relied)) {
		if !strings.Contains(text, "# TYPE "+name+" ") {
			t.Errorf("the api has no metric %s", name)
		}
	}
	p.stop()
	select {
	case code := <-p.code:
		if code != lifecycle.ExitOK {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}

func exposition(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
