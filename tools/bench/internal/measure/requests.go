package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/etrainer/backend/tools/bench/internal/report"
)

// call is one kind of request.
type call struct {
	method, path, body string
	admin              bool // the administrator of the site sends it
}

func get(path string) call { return call{method: http.MethodGet, path: path} }

func administrator(path string) call { return call{method: http.MethodGet, path: path, admin: true} }

// The calls that schedule a job: one that no worker runs beside it, and one that a
// worker does in no time.
var (
	post     = schedule(`{"name":"generate weekly reports","data":{"week":"2025-08-04"},"when":"now"}`)
	receipts = schedule(`{"name":"read push receipts","data":{},"when":"now"}`)
)

func schedule(body string) call {
	return call{method: http.MethodPost, path: "/api/system/jobs/schedule", body: body, admin: true}
}

// load sends requests from every connection, one after the other, and
// returns how many were answered in a second, and how soon.
func load(ctx context.Context, s site, c call) (rate, p99 float64, err error) {
	if _, err := loadFor(ctx, s, c, httpWarmUp); err != nil {
		return 0, 0, err
	}
	times, err := loadFor(ctx, s, c, httpTime)
	return float64(len(times)) / httpTime.Seconds(), times.Percentile(99), err
}

// loadFor is load with a time of its own, and without a warm-up. Its client is
// one that costs little: it shares the processors with what is measured, and
// that of net/http takes as long for a request as a server does.
func loadFor(ctx context.Context, s site, c call, during time.Duration) (report.Sample, error) {
	target, err := url.Parse(s.url)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", s.name, err)
	}
	client := &fasthttp.HostClient{Addr: target.Host, MaxConns: httpConnections}
	defer client.CloseIdleConnections()
	deadline := time.Now().Add(during)
	var all sync.WaitGroup
	samples := make([]report.Sample, httpConnections)
	failures := make([]error, httpConnections)
	for i := range httpConnections {
		all.Go(func() { samples[i], failures[i] = sendUntil(ctx, client, s, c, deadline) })
	}
	all.Wait()
	var merged report.Sample
	for _, sample := range samples {
		merged = append(merged, sample...)
	}
	return merged, errors.Join(failures...)
}

// sendUntil sends one request after the other.
func sendUntil(ctx context.Context, client *fasthttp.HostClient, s site, c call, deadline time.Time) (report.Sample, error) {
	request, reply := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(reply)
	request.Header.SetMethod(c.method)
	request.SetRequestURI(s.url + c.path)
	if c.body != "" {
		request.Header.SetContentType("application/json")
		request.SetBodyString(c.body)
	}
	if c.admin {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	var times report.Sample
	for ctx.Err() == nil {
		began := time.Now()
		if !began.Before(deadline) {
			return times, nil
		}
		if err := client.Do(request, reply); err != nil {
			return times, fmt.Errorf("%s %s: %w", c.method, c.path, err)
		}
		if status := reply.StatusCode(); status != http.StatusOK {
			return times, fmt.Errorf("%s %s answered %d", c.method, c.path, status)
		}
		times = append(times, milliseconds(time.Since(began)))
	}
	return times, context.Cause(ctx)
}

// send sends one request as an ordinary client does.
func send(ctx context.Context, client *http.Client, s site, c call) error {
	request, err := http.NewRequestWithContext(ctx, c.method, s.url+c.path, strings.NewReader(c.body))
	if err != nil {
		return err
	}
	if c.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.admin {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s answered %s", c.method, c.path, reply.Status)
	}
	return nil
}
