package measure

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed load.lua
var script []byte

// load is what wrk measured.
type load struct {
	requests int
	seconds  float64
	p50, p99 float64 // milliseconds
}

// rate is how many requests were answered in a second.
func (l load) rate() float64 { return float64(l.requests) / l.seconds }

// loadFor sends requests for a time from every connection, one after the other.
// The load shares the processors with what is measured, so it comes from wrk, which
// needs few of their cycles: a client in Go takes as long for a request as a server.
// A request that is not answered, or not with success, is an error.
func loadFor(ctx context.Context, s site, c call, during time.Duration) (load, error) {
	path, err := exec.LookPath("wrk")
	if err != nil {
		return load{}, errors.New("wrk is not installed; it is in the package wrk of most systems")
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return load{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	lua := filepath.Join(folder, "load.lua")
	if err := os.WriteFile(lua, script, 0o600); err != nil {
		return load{}, err
	}
	authorization := ""
	if c.admin {
		authorization = "Bearer " + s.token
	}
	output, err := exec.CommandContext(ctx, path, "-t", "1", "-c", strconv.Itoa(httpConnections), "-d", strconv.Itoa(int(during.Seconds()))+"s",
		"-s", lua, s.url+c.path, "--", c.method, c.body, authorization).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w: %s", err, output)
	}
	l, err := readWrk(string(output))
	if err != nil {
		return load{}, fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	return l, nil
}

// readWrk reads the line that the script printed last.
func readWrk(output string) (load, error) {
	var m struct {
		Requests, Refused, Broken int
		Microseconds, P50, P99    float64
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		return load{}, fmt.Errorf("wrk printed no result: %s", output)
	}
	switch {
	case m.Refused > 0 || m.Broken > 0:
		return load{}, fmt.Errorf("of %d requests %d were answered with a failure, and %d connections broke", m.Requests, m.Refused, m.Broken)
	case m.Requests == 0 || m.Microseconds == 0:
		return load{}, errors.New("no request was answered")
	default:
		return load{requests: m.Requests, seconds: m.Microseconds / 1e6, p50: m.P50 / 1000, p99: m.P99 / 1000}, nil
	}
}
