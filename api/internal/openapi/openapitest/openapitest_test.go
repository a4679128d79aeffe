package openapitest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/etrainer/backend/api/internal/openapi/openapitest"
)

// witness is a test that may fail.
type witness struct {
	testing.TB
	failed bool
}

func (w *witness) Helper() {}

func (w *witness) Errorf(string, ...any) { w.failed = true }

// TestCheck: what the document does not say is found.
func TestCheck(t *testing.T) {
	t.Parallel()
	const (
		plain   = "Content-Type: application/json; charset=utf-8"
		refused = `{"error":"a","message":"b"}`
		board   = `{"data":[],"cached":true,"timestamp":"2026-01-02T03:04:05.006Z","asOf":"2026-01-02T03:04:05.006Z"}`
		page    = `{"data":[],"next":null}`
		account = `{"message":"Register successfully","user":{"_id":"65a7c1d2e3f405162738495a","email":"an@example.com","role":"USER"}}`
		healthy = `{"status":"OK","message":"a","uptime":1,"timestamp":"2026-01-02T03:04:05.006Z","environment":"traditional","services":{` +
			`"database":{"readyState":1,"collections":13,"fallback":false},"cache":{"memory":{"keys":0,"hits":0,"misses":0,"hitRate":0},"redis":{"status":"ready"},"degraded":false},` +
			`"jobScheduler":{"status":"error"},"cloudinary":{"status":"not_configured"},"limits":{"store":"redis","degraded":false},"sessions":{"revocation":"redis","degraded":false}},` +
			`"memory":{"used":1,"total":2},"cluster":null}`
		jsonly = "application/json"
		form   = "application/x-www-form-urlencoded"
	)
	tests := map[string]struct {
		method, path, kind, request string
		status                      int
		header, reply               string
		fits                        bool
	}{
		"as described":             {"GET", "/api/system/leaderboard?limit=5&x=y", "", "", 200, plain + "\nX-Cache: HIT", board, true},
		"capitals and a slash":     {"GET", "/API/System/Leaderboard/", "", "", 200, plain + "\nX-Cache: HIT", board, true},
		"no such status":           {"GET", "/api/system/leaderboard", "", "", 201, plain + "\nX-Cache: HIT", board, false},
		"another type":             {"GET", "/api/system/leaderboard", "", "", 200, "Content-Type: text/plain\nX-Cache: HIT", board, false},
		"another shape":            {"GET", "/api/system/leaderboard", "", "", 200, plain + "\nX-Cache: HIT", `{"data":[]}`, false},
		"header missing":           {"GET", "/api/system/leaderboard", "", "", 200, plain, board, false},
		"header with other values": {"GET", "/api/system/leaderboard", "", "", 200, plain + "\nX-Cache: PERHAPS", board, false},
		"query out of bounds":      {"GET", "/api/system/leaderboard?limit=0", "", "", 200, plain + "\nX-Cache: HIT", board, false},
		"query of another type":    {"GET", "/api/system/leaderboard?limit=many", "", "", 200, plain + "\nX-Cache: HIT", board, false},
		"bad query refused":        {"GET", "/api/system/leaderboard?limit=many", "", "", 400, plain, refused, true},
		"list in a query":          {"GET", "/api/system/jobs?state=queued,failed&state=running&dead=true", "", "", 200, plain, page, true},
		"unknown in a list":        {"GET", "/api/system/jobs?state=queued,lost", "", "", 200, plain, page, false},
		"neither true nor false":   {"GET", "/api/system/jobs?dead=perhaps", "", "", 200, plain, page, false},
		"limited":                  {"GET", "/api/system/jobs", "", "", 429, plain + "\nRetry-After: 5", refused, true},
		"limited without an end":   {"GET", "/api/system/jobs", "", "", 429, plain, refused, false},
		"limited until a date":     {"GET", "/api/system/jobs", "", "", 429, plain + "\nRetry-After: tomorrow", refused, false},
		"away without an end":      {"GET", "/readyz", "", "", 503, plain, `{"status":"unavailable","error":"Not ready","message":"away"}`, false},
		"no such state":            {"GET", "/health", "", "", 200, plain, strings.Replace(healthy, `"status":"error"`, `"status":"fine"`, 1), false},
		"scheduler in doubt":       {"GET", "/health", "", "", 200, plain, healthy, true},
		"scheduler by half":        {"GET", "/health", "", "", 200, plain, strings.Replace(healthy, `"status":"error"`, `"status":"error","isStarted":true`, 1), false},
		"who are you":              {"GET", "/api/system/jobs", "", "", 401, plain + "\nWWW-Authenticate: Bearer", refused, true},
		"who are you, how":         {"GET", "/api/system/jobs", "", "", 401, plain, refused, false},
		"accepted body":            {"POST", "/api/auth/register", jsonly, `{"name":"An","email":"an@example.com","password":"secret"}`, 201, plain, account, true},
		"bad body accepted":        {"POST", "/api/auth/register", jsonly, `{"name":"An","password":"secret"}`, 201, plain, account, false},
		"accepted form":            {"POST", "/api/auth/register", form, `name=An&email=an%40example.com&password=secret`, 201, plain, account, true},
		"bad form accepted":        {"POST", "/api/auth/register", form, `name=An&password=secret`, 201, plain, account, false},
		"unknown path":             {"GET", "/nowhere", "", "", 404, plain, refused, true},
		"unknown method":           {"PATCH", "/api/auth/login", "", "", 404, plain, refused, true},
		"unknown path answered":    {"GET", "/nowhere", "", "", 200, plain, `{}`, false},
		"unknown path, other body": {"GET", "/nowhere", "", "", 404, plain, `{"detail":"stack"}`, false},
		"unknown path in a page":   {"GET", "/nowhere", "", "", 404, "Content-Type: text/html", `<html>`, false},
		"unknown path limited":     {"GET", "/nowhere", "", "", 429, plain, refused, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			for line := range strings.SplitSeq(test.header, "\n") {
				key, value, _ := strings.Cut(line, ": ")
				header.Set(key, value)
			}
			seen := &witness{TB: t}
			openapitest.Check(seen, openapitest.Exchange{
				Method: test.method, Path: test.path, RequestType: test.kind, Request: []byte(test.request),
				Status: test.status, Header: header, Reply: []byte(test.reply),
			})
			if seen.failed == test.fits {
				t.Errorf("it fits: %t, want %t", !seen.failed, test.fits)
			}
		})
	}
}

// TestCheckExamples: an example that is missing or wrong is found.
func TestCheckExamples(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body, schemas string
		fits          bool
	}{
		"an example":              {`{"schema":{"const":"a"},"example":"a"}`, `{}`, true},
		"null":                    {`{"schema":{"type":["string","null"]},"example":null}`, `{}`, true},
		"named examples":          {`{"schema":{"type":"integer"},"examples":{"one":{"value":1},"two":{"value":2}}}`, `{}`, true},
		"that of the schema":      {`{"schema":{"$ref":"#/components/schemas/A"}}`, `{"A":{"type":"integer","examples":[1]}}`, true},
		"none":                    {`{"schema":{"type":"integer"}}`, `{}`, false},
		"it does not fit":         {`{"schema":{"const":"a"},"example":"b"}`, `{}`, false},
		"a named one does not":    {`{"schema":{"type":"integer"},"examples":{"one":{"value":1},"two":{"value":"2"}}}`, `{}`, false},
		"that of a schema is not": {`{"schema":{"$ref":"#/components/schemas/A"},"example":{}}`, `{"A":{"properties":{"b":{"type":"string","examples":["c",1]}}}}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := &witness{TB: t}
			openapitest.CheckExamples(seen, []byte(`{"paths":{"/":{"get":{"responses":{"200":{"content":{"application/json":`+test.body+`}}}}}},"components":{"schemas":`+test.schemas+`}}`))
			if seen.failed == test.fits {
				t.Errorf("it fits: %t, want %t", !seen.failed, test.fits)
			}
		})
	}
}
