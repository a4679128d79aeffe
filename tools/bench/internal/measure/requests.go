package measure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
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
