package middleware_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/api/internal/web"
)

// long is text that is worth it, and short is not.
var long, short = strings.Repeat("long text ", 500), strings.Repeat("s", 500)

// packed is long as a handler keeps it.
func packed(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if _, err := io.WriteString(writer, long); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// compressing serves one route for each kind of reply, behind all middleware.
func compressing(t *testing.T) string {
	t.Helper()
	o := middleware.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, BodyLimit: bodyLimit, Timeout: time.Minute}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(middleware.Chain(o)...)
	group := engine.Group("/", middleware.JSONRoutes(o)...)
	json := func(status int, text string) gin.HandlerFunc {
		return web.Handle("Failed", func(c *gin.Context) error { return web.JSON(c, status, text) })
	}
	content := func(contentType string) gin.HandlerFunc {
		return func(c *gin.Context) {
			c.Header("Content-Type", contentType)
			c.Header("ETag", `"a"`)
			http.ServeContent(c.Writer, c.Request, "", time.Time{}, strings.NewReader(long))
		}
	}
	group.GET("/json", json(http.StatusOK, long))
	group.GET("/short", json(http.StatusOK, short))
	group.GET("/failure", json(http.StatusConflict, long))
	group.GET("/api/auth/token", json(http.StatusOK, long))
	group.GET("/file", content("text/plain; charset=utf-8"))
	group.GET("/image", content("image/png"))
	group.GET("/packed", func(c *gin.Context) {
		c.Header("Content-Encoding", "gzip")
		c.Header("ETag", `"a"`)
		c.Data(http.StatusOK, "text/plain", packed(t))
	})
	group.GET("/pieces", func(c *gin.Context) {
		c.Header("Content-Type", "text/csv")
		for piece := range strings.SplitSeq(long, " ") {
			_, _ = c.Writer.WriteString(piece + " ")
		}
	})
	group.GET("/flushed", func(c *gin.Context) {
		c.Header("Content-Type", "text/csv")
		_, _ = c.Writer.WriteString("first ")
		c.Writer.Flush()
		_, _ = c.Writer.WriteString(long)
	})
	group.GET("/headed", func(c *gin.Context) {
		c.Header("Content-Type", "text/csv")
		c.Writer.WriteHeaderNow()
		_, _ = c.Writer.WriteString(long)
	})
	group.GET("/panic", func(c *gin.Context) { panic("boom") })
	group.GET("/panic/late", func(c *gin.Context) {
		c.Header("Content-Type", "text/csv")
		_, _ = c.Writer.WriteString(long)
		c.Writer.Flush()
		panic("boom")
	})
	group.GET("/nothing", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	return server.URL
}

func TestCompress(t *testing.T) {
	t.Parallel()
	url := compressing(t)
	quoted := func(text string) string { return `"` + text + `"` }
	gzipped := map[string]string{"Accept-Encoding": "gzip, deflate, br"}
	with := func(name, value string) map[string]string {
		return map[string]string{"Accept-Encoding": "gzip", name: value}
	}
	for name, test := range map[string]struct {
		path   string
		header map[string]string
		status int
		body   string // after it is unpacked
		packed bool
		tag    string // "" = any
	}{
		"JSON":                   {"/json", gzipped, 200, quoted(long), true, ""},
		"a failure":              {"/failure", gzipped, 409, quoted(long), true, ""},
		"in pieces":              {"/pieces", gzipped, 200, long + " ", true, ""},
		"a flush":                {"/flushed", gzipped, 200, "first " + long, true, ""},
		"a text with a tag":      {"/file", gzipped, 200, long, true, `W/"a"`},
		"not accepted":           {"/json", map[string]string{"Accept-Encoding": "identity"}, 200, quoted(long), false, ""},
		"refused":                {"/json", map[string]string{"Accept-Encoding": "gzip;q=0"}, 200, quoted(long), false, ""},
		"another coding":         {"/json", map[string]string{"Accept-Encoding": "br, zstd"}, 200, quoted(long), false, ""},
		"short":                  {"/short", gzipped, 200, quoted(short), false, ""},
		"tokens":                 {"/api/auth/token", gzipped, 200, quoted(long), false, ""},
		"an image":               {"/image", gzipped, 200, long, false, `"a"`},
		"a part":                 {"/file", with("Range", "bytes=10-2009"), 206, long[10:2010], false, `"a"`},
		"packed by its handler":  {"/packed", gzipped, 200, long, true, `"a"`},
		"the header sent before": {"/headed", gzipped, 200, long, false, ""},
		"no body":                {"/nothing", gzipped, 204, "", false, ""},
		"not modified":           {"/file", with("If-None-Match", `W/"a"`), 304, "", false, ""},
		"a panic":                {"/panic", gzipped, 500, `{"error":"Internal server error","message":"Something went wrong"}`, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.header["Accept-Encoding"] == "" {
				t.Fatal("Go's client would add its own")
			}
			reply := send(t, http.MethodGet, url+test.path, nil, test.header)
			body, isPacked := reply.text, reply.header.Get("Content-Encoding") == "gzip"
			if isPacked {
				body = unpack(t, body)
			}
			if reply.broken || reply.status != test.status || isPacked != test.packed || body != test.body {
				t.Errorf("%d %v, packed %t, %d bytes that are %d", reply.status, reply.header, isPacked, len(reply.text), len(body))
			}
			if tag := reply.header.Get("ETag"); test.tag != "" && tag != test.tag {
				t.Errorf("ETag = %s, want %s", tag, test.tag)
			}
			vary := strings.Count(strings.Join(reply.header.Values("Vary"), ","), "Accept-Encoding")
			if want := map[bool]int{true: 0, false: 1}[strings.HasPrefix(test.path, "/api/auth/")]; vary != want {
				t.Errorf("Vary = %v", reply.header.Values("Vary"))
			}
		})
	}
	if late := send(t, http.MethodGet, url+"/panic/late", nil, gzipped); !late.broken {
		t.Error("a reply that a panic cut off looks complete")
	}
}

func unpack(t *testing.T, text string) string {
	t.Helper()
	reader, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}
