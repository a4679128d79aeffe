package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

// serve runs one handler on one request.
func serve(request *http.Request, handler web.Handler) *httptest.ResponseRecorder {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Any("/", web.Handle("Failed to do it", handler))
	recorder := httptest.NewRecorder()
	engine.ServeHTTP(recorder, request)
	return recorder
}

// decode decodes a body, and returns the value or the error.
func decode[T any](contentType string, body io.Reader) (value T, err error) {
	request := httptest.NewRequest(http.MethodPost, "/", body)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	serve(request, func(c *gin.Context) error {
		value, err = web.Decode[T](c)
		return nil
	})
	return value, err
}

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		contentType, body string
		want              map[string]any
		message           string
	}{
		"object":            {asJSON, `{"a":1,"b":{"c":[true,null]}}`, map[string]any{"a": 1.0, "b": map[string]any{"c": []any{true, nil}}}, ""},
		"charset":           {"application/json; charset=utf-8", `{"a":"ă"}`, map[string]any{"a": "ă"}, ""},
		"suffix":            {"application/merge-patch+json", `{"a":1}`, map[string]any{"a": 1.0}, ""},
		"no type":           {"", `{"a":1}`, map[string]any{"a": 1.0}, ""},
		"byte order mark":   {asJSON, "\ufeff {\"a\":1} ", map[string]any{"a": 1.0}, ""},
		"absent":            {asJSON, ``, map[string]any{}, ""},
		"absent, odd type":  {"text/plain", ``, map[string]any{}, ""},
		"blank":             {asJSON, " \n", map[string]any{}, ""},
		"form":              {asForm, `a=1&b=x+y%21`, map[string]any{"a": "1", "b": "x y!"}, ""},
		"nested form":       {asForm, `a[b][c]=1&a[b][d]=2&l[]=x&m=1&m=2`, map[string]any{"a": map[string]any{"b": map[string]any{"c": "1", "d": "2"}}, "l": []any{"x"}, "m": []any{"1", "2"}}, ""},
		"odd brackets":      {asForm, `a[=1&[b]=2&c]=3&d[e]f=4`, map[string]any{"a[": "1", "[b]": "2", "c]": "3", "d[e]f": "4"}, ""},
		"deep form":         {asForm, `a[b][c][d][e][f][g][h]=1`, map[string]any{"a": map[string]any{"b": map[string]any{"c": map[string]any{"d": map[string]any{"e": map[string]any{"f][g][h": "1"}}}}}}, ""},
		"not too deep form": {asForm, `a[b][c][d][e][f]=1`, map[string]any{"a": map[string]any{"b": map[string]any{"c": map[string]any{"d": map[string]any{"e": map[string]any{"f": "1"}}}}}}, ""},
		"array":             {asJSON, `[]`, nil, "the body must be a JSON object, not an array; send {…}"},
		"string":            {asJSON, `"x"`, nil, "the body must be a JSON object, not a string; send {…}"},
		"null":              {asJSON, `null`, nil, "the body must be a JSON object, not null; send {…}"},
		"number":            {asJSON, `-1`, nil, "the body must be a JSON object, not a number; send {…}"},
		"boolean":           {asJSON, `true`, nil, "the body must be a JSON object, not a boolean; send {…}"},
		"malformed":         {asJSON, `{"a":}`, nil, "the body is malformed JSON at byte 6: invalid character '}' looking for beginning of value"},
		"two objects":       {asJSON, `{}{}`, nil, "the body is malformed JSON at byte 3: invalid character '{' after top-level value"},
		"text":              {"text/plain", `x`, nil, "the body has the Content-Type text/plain; send application/json"},
		"odd type":          {"a/b; c", `{}`, nil, "the header Content-Type cannot be read; send application/json"},
		"contradicting":     {asForm, `a=1&a[b]=2`, nil, `the form field "a[b]" contradicts another one; a field is either text or has parts`},
		"contradicting too": {asForm, `a[b]=1&a[b][c]=2`, nil, `the form field "a[b][c]" contradicts another one; a field is either text or has parts`},
		"twice":             {asForm, `a[]=1&a=2`, nil, `the form field "a[]" contradicts another one; a field is either text or has parts`},
		"escape in form":    {asForm, `a=%zz`, nil, "the form cannot be read: a % or a ; in it is not escaped"},
		"long form":         {asForm, strings.Repeat("a&", 1000), nil, "the form has more than 1000 fields; send application/json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode[map[string]any](test.contentType, strings.NewReader(test.body))
			if errs.MessageOf(err) != test.message || err != nil && errs.KindOf(err) != errs.KindInvalid {
				t.Fatalf("error = %v, want %q", err, test.message)
			}
			if err == nil {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("value (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestADeepNameCostsNoMoreThanALongOne: its parts are not taken apart.
//
//nolint:paralleltest // it measures memory
func TestADeepNameCostsNoMoreThanALongOne(t *testing.T) {
	cost := func(part string) uint64 {
		body := "a[" + strings.Repeat(part, 4<<20/len(part)) + "]=1"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := decode[map[string]any](asForm, strings.NewReader(body)); err != nil {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if long, deep := cost("x"), cost("]["); deep > long+long/4 {
		t.Errorf("a deep name takes %d KiB, one of the same length %d KiB", deep>>10, long>>10)
	}
}

// TestDecodeMatchesNamesLetterByLetter, as Node does: of {"email", "EMAIL"} the
// second is another key.
func TestDecodeMatchesNamesLetterByLetter(t *testing.T) {
	t.Parallel()
	type inner struct {
		By string `json:"by"`
	}
	type body struct {
		Email  string          `json:"email"`
		Data   json.RawMessage `json:"data"`
		Unique *inner          `json:"unique"`
	}
	for text, want := range map[string]body{
		`{"email":"a","EMAIL":"b"}`:                         {Email: "a"},
		`{"EMAIL":"b","email":"a"}`:                         {Email: "a"},
		`{"Email":"b"}`:                                     {},
		`{"eMail":{"$gt":""},"email":"a"}`:                  {Email: "a"},
		`{"email":"a","email":"b"}`:                         {Email: "b"},
		`{"DATA":1,"data":{"BY":"<x>","by":2}}`:             {Data: json.RawMessage(`{"BY":"<x>","by":2}`)},
		`{"email":"a","unique":{"BY":"x"}}`:                 {Email: "a", Unique: &inner{}},
		`{"email":"a","unique":{"by":"y","By":"x"}}`:        {Email: "a", Unique: &inner{By: "y"}},
		`{"email":"a","unique":null,"UNIQUE":{"by":"x"}}`:   {Email: "a"},
		"{\"email\":\"a\",\"un\u0131que\":1,\"other\":[1]}": {Email: "a"},
	} {
		got, err := decode[body](asJSON, strings.NewReader(text))
		got.Data = json.RawMessage(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(got.Data)))
		if len(got.Data) == 0 {
			got.Data = nil
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestDecodeNamesTheFieldOfAWrongType(t *testing.T) {
	t.Parallel()
	type body struct {
		Text   *string  `json:"text"`
		Number float64  `json:"number"`
		Flag   bool     `json:"flag"`
		List   []string `json:"list"`
		Inner  struct {
			Text string `json:"text"`
		} `json:"inner"`
	}
	for text, want := range map[string]string{
		`{"text":{"$gt":""}}`:  `"text" must be a string, not an object`,
		`{"text":[1]}`:         `"text" must be a string, not an array`,
		`{"text":1.5}`:         `"text" must be a string, not a number`,
		`{"text":true}`:        `"text" must be a string, not a boolean`,
		`{"number":"1"}`:       `"number" must be a number, not a string`,
		`{"flag":"true"}`:      `"flag" must be a boolean, not a string`,
		`{"list":{}}`:          `"list" must be an array, not an object`,
		`{"inner":3}`:          `"inner" must be an object, not a number`,
		`{"inner":{"text":3}}`: `"inner.text" must be a string, not a number`,
	} {
		_, err := decode[body](asJSON, strings.NewReader(text))
		field, _, _ := strings.Cut(strings.TrimPrefix(want, `"`), `"`)
		if errs.MessageOf(err) != want || errs.FieldOf(err) != field {
			t.Errorf("%s: %v (field %q), want %s", text, err, errs.FieldOf(err), want)
		}
	}
}

func TestDecodeOfBodiesThatDoNotArrive(t *testing.T) {
	t.Parallel()
	request := func(body io.Reader) *http.Request { return httptest.NewRequest(http.MethodPost, "/", body) }
	compressed := request(strings.NewReader("x"))
	compressed.Header.Set("Content-Encoding", "gzip")
	limited := request(strings.NewReader(`{"a":"aaaaaaaaaaaaaa"}`))
	limited.Body = http.MaxBytesReader(nil, limited.Body, 10)
	for name, test := range map[string]struct {
		request *http.Request
		kind    errs.Kind
		message string
	}{
		"compressed": {compressed, errs.KindInvalid, "the body has a Content-Encoding; send it uncompressed"},
		"too large":  {limited, errs.TooLarge, "request entity too large: the body may have at most 10 bytes; send less"},
		"cut off":    {request(io.MultiReader(strings.NewReader("{"), broken{})), errs.KindInvalid, "the body ended before it was complete; send it again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serve(test.request, func(c *gin.Context) error {
				_, err := web.Decode[map[string]any](c)
				if errs.KindOf(err) != test.kind || errs.MessageOf(err) != test.message {
					t.Errorf("error = %v %v, want %q", errs.KindOf(err), err, test.message)
				}
				return nil
			})
		})
	}
}

// broken is a body whose sender went away.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzDecode checks that a body either fails as the caller's mistake or is an
// object, whatever is sent.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{"a":{"$gt":1}}`, `a[b][]=1&a[c]=2`, `[]`, "\ufeff", `{"a":"\ud800"}`, `a=1&a[b]=2`, `a[[]]=&[]=`} {
		f.Add(asJSON, body)
		f.Add(asForm, body)
	}
	f.Add("", "{}")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		type typed struct {
			Text   string          `json:"text"`
			Number *float64        `json:"number"`
			Raw    json.RawMessage `json:"raw"`
		}
		if _, err := decode[typed](contentType, strings.NewReader(body)); err != nil && errs.KindOf(err) != errs.KindInvalid {
			t.Errorf("typed: %v is not the caller's mistake", err)
		}
		value, err := decode[map[string]any](contentType, strings.NewReader(body))
		switch {
		case err != nil && (errs.KindOf(err) != errs.KindInvalid || errs.MessageOf(err) == ""):
			t.Errorf("%v is not the caller's mistake", err)
		case err == nil && value == nil:
			t.Error("neither an object nor an error")
		}
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	cause := errors.New("E11000 of secret internals")
	tests := map[string]struct {
		err    error
		status int
		body   string
	}{
		"internal":      {cause, 500, `{"error":"Failed to do it","message":"Something went wrong"}`},
		"invalid":       {errs.Invalid("when", "when is odd"), 400, `{"error":"Validation Error","message":"when is odd","details":[{"field":"when","message":"when is odd"}]}`},
		"no field":      {errs.Invalid("", "odd <b>"), 400, `{"error":"Validation Error","message":"odd <b>"}`},
		"several":       {web.Violations{{"a", "a is odd"}, {"b", "b is odd"}}, 400, `{"error":"Validation Error","message":"a is odd, b is odd","details":[{"field":"a","message":"a is odd"},{"field":"b","message":"b is odd"}]}`},
		"wrapped":       {fmt.Errorf("schedule: %w", errs.Wrap(errs.Conflict, cause, "taken")), 409, `{"error":"Conflict","message":"taken"}`},
		"titled":        {web.Title("Name is taken", errs.Wrap(errs.Conflict, cause, "taken")), 409, `{"error":"Name is taken","message":"taken"}`},
		"titled fault":  {web.Title("Name is taken", cause), 500, `{"error":"Failed to do it","message":"Something went wrong"}`},
		"unauthorized":  {errs.New(errs.Unauthenticated, "who?"), 401, `{"error":"Access Denied","message":"who?"}`},
		"forbidden":     {errs.New(errs.Forbidden, "no"), 403, `{"error":"Forbidden","message":"no"}`},
		"not found":     {errs.New(errs.NotFound, "none"), 404, `{"error":"Not found","message":"none"}`},
		"too large":     {web.TooLarge(10), 413, `{"error":"Request entity too large","message":"request entity too large: the body may have at most 10 bytes; send less"}`},
		"too many":      {errs.New(errs.TooMany, "slow down"), 429, `{"error":"Too many requests","message":"slow down"}`},
		"unavailable":   {errs.New(errs.Unavailable, "later"), 503, `{"error":"Service unavailable","message":"later"}`},
		"no job":        {fmt.Errorf("get: %w", queue.ErrNotFound), 404, `{"error":"Job not found","message":"no job has this id; it may have been deleted"}`},
		"job's state":   {fmt.Errorf("%w: it has finished", queue.ErrConflict), 409, `{"error":"Conflict","message":"the job's state does not allow this: it has finished"}`},
		"no database":   {fmt.Errorf("find: %w", web.ErrDatabaseAway), 503, `{"error":"Database connection failed","message":"Service temporarily unavailable. Please try again."}`},
		"out of time":   {fmt.Errorf("find: %w", context.DeadlineExceeded), 503, `{"error":"Database connection failed","message":"Service temporarily unavailable. Please try again."}`},
		"network":       {fmt.Errorf("find: %w", mongo.CommandError{Labels: []string{"NetworkError"}}), 503, `{"error":"Database connection failed","message":"Service temporarily unavailable. Please try again."}`},
		"stepping down": {fmt.Errorf("find: %w", mongo.CommandError{Code: 189}), 503, `{"error":"Database connection failed","message":"Service temporarily unavailable. Please try again."}`},
		"bad command":   {fmt.Errorf("find: %w", mongo.CommandError{Code: 2}), 500, `{"error":"Failed to do it","message":"Something went wrong"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := serve(httptest.NewRequest(http.MethodGet, "/", nil), func(*gin.Context) error { return test.err })
			if reply.Code != test.status || reply.Body.String() != test.body {
				t.Errorf("%d %s\nwant %d %s", reply.Code, reply.Body, test.status, test.body)
			}
			retry := map[int]string{503: "5", 429: "5"}[test.status]
			if got := reply.Header().Get("Retry-After"); got != retry {
				t.Errorf("Retry-After = %q, want %q", got, retry)
			}
			if got := reply.Header().Get("WWW-Authenticate"); (got == "Bearer") != (test.status == 401) {
				t.Errorf("WWW-Authenticate = %q", got)
			}
		})
	}
}

func TestFailureOfAClientThatWentAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reply := serve(httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), func(c *gin.Context) error { return c.Request.Context().Err() })
	if reply.Code != 499 {
		t.Errorf("status = %d, want 499 for the access log", reply.Code)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	answer := func(method, match string, status int) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, "/", nil)
		request.Header.Set("If-None-Match", match)
		return serve(request, func(c *gin.Context) error { return web.JSON(c, status, map[string]any{"a": "<&>"}) })
	}
	first := answer(http.MethodGet, "", 200)
	tag := first.Header().Get("ETag")
	if first.Code != 200 || first.Body.String() != `{"a":"<&>"}` || !strings.HasPrefix(tag, `W/"`) {
		t.Fatalf("%d %s, ETag %s", first.Code, first.Body, tag)
	}
	for name, match := range map[string]string{"weak": tag, "strong": strings.TrimPrefix(tag, "W/"), "one of several": `"x", ` + tag, "any": "*"} {
		if reply := answer(http.MethodGet, match, 200); reply.Code != http.StatusNotModified || reply.Body.Len() != 0 {
			t.Errorf("%s: %d %s, want 304", name, reply.Code, reply.Body)
		}
	}
	for name, reply := range map[string]*httptest.ResponseRecorder{
		"another tag": answer(http.MethodGet, `W/"x"`, 200), "a POST": answer(http.MethodPost, tag, 200), "a 404": answer(http.MethodGet, tag, 404),
	} {
		if reply.Code == http.StatusNotModified || reply.Body.Len() == 0 {
			t.Errorf("%s: %d", name, reply.Code)
		}
	}
}

func TestReplyThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	reply := serve(httptest.NewRequest(http.MethodGet, "/", nil), func(c *gin.Context) error { return web.JSON(c, 200, func() {}) })
	if reply.Code != 500 || !strings.Contains(reply.Body.String(), "Failed to do it") {
		t.Errorf("%d %s", reply.Code, reply.Body)
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]time.Time{
		`null`:                       {},
		`"2026-03-04T05:06:07.008Z"`: time.Date(2026, 3, 4, 12, 6, 7, 8_999_999, time.FixedZone("", 7*3600)),
		`"1970-01-01T00:00:00.000Z"`: time.UnixMilli(0),
	} {
		if got, err := json.Marshal(web.Instant(at)); err != nil || string(got) != want {
			t.Errorf("%v = %s, %v, want %s", at, got, err, want)
		}
	}
}
