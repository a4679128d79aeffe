package middleware

import (
	"compress/gzip"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzhttp"
)

// leastCompressed is the smallest reply that gets shorter by it, in packets.
const leastCompressed = 1024

// compressible are the types that text has here. Files of users are not among
// them: those worth it are packed already.
var compressible = []string{"application/json", "text/html", "text/css", "text/csv", "text/javascript", "text/plain"}

// uncompressed are the routes whose replies hold tokens: what stands beside a
// secret and comes from the caller would show in the length.
const uncompressed = "/api/auth/"

// Compress packs replies with gzip for those who accept it. What is packed
// already, is short or is a part of a file stays as it is.
func Compress() gin.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(leastCompressed), gzhttp.CompressionLevel(gzip.BestSpeed),
		gzhttp.ContentTypes(compressible), gzhttp.EnableZstd(false),
	)
	if err != nil {
		panic(err) // the options are constants
	}
	return func(c *gin.Context) {
		if strings.HasPrefix(c.FullPath(), uncompressed) {
			c.Next()
			return
		}
		if c.GetHeader("Range") != "" || !strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
			c.Writer.Header().Add("Vary", "Accept-Encoding")
			c.Next()
			return
		}
		below := &weakening{ResponseWriter: c.Writer}
		defer func() { c.Writer = below.ResponseWriter }() // also for who recovers from a panic
		wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c.Writer = &compressing{ResponseWriter: below.ResponseWriter, packed: w, below: below}
			c.Next()
		})).ServeHTTP(below, c.Request)
	}
}

// compressing is what handlers write to: the status goes to gin's writer at
// once, and all else through the compression.
type compressing struct {
	gin.ResponseWriter
	packed http.ResponseWriter
	below  *weakening
	begun  bool // the body has
	sent   bool // the header is, and was not compressed: nor is what follows
}

func (w *compressing) begin() {
	if w.begun {
		return
	}
	w.begun = true
	w.below.coded = w.Header().Get("Content-Encoding") != ""
	w.packed.WriteHeader(w.Status())
}

// Write implements http.ResponseWriter.
func (w *compressing) Write(text []byte) (int, error) {
	if w.sent {
		return w.ResponseWriter.Write(text)
	}
	w.begin()
	return w.packed.Write(text)
}

// WriteString implements io.StringWriter.
func (w *compressing) WriteString(text string) (int, error) { return w.Write([]byte(text)) }

// Written reports whether there is no way back, as there is none once a
// handler has written what is not sent yet.
func (w *compressing) Written() bool { return w.begun || w.ResponseWriter.Written() }

// WriteHeaderNow sends the header of a reply without a body.
func (w *compressing) WriteHeaderNow() {
	if !w.begun {
		w.sent = true
		w.ResponseWriter.WriteHeaderNow()
	}
}

// Flush implements http.Flusher.
func (w *compressing) Flush() {
	if w.sent {
		w.ResponseWriter.Flush()
		return
	}
	w.begin()
	if flusher, ok := w.packed.(http.Flusher); ok {
		flusher.Flush()
	}
}

// Unwrap lets http.ResponseController find the connection.
func (w *compressing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// weakening is below the compression. When it gets the header it is known
// whether the body is packed; then it is not the bytes that the ETag names.
type weakening struct {
	gin.ResponseWriter
	coded bool // by the handler, whose tag is right
}

// WriteHeader implements http.ResponseWriter.
func (w *weakening) WriteHeader(status int) {
	header := w.Header()
	if tag := header.Get("ETag"); !w.coded && header.Get("Content-Encoding") != "" && strings.HasPrefix(tag, `"`) {
		header.Set("ETag", "W/"+tag)
	}
	w.ResponseWriter.WriteHeader(status)
}
