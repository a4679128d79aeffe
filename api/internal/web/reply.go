package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/pkg/instant"
)

// Handler answers one request, or returns why it could not.
type Handler func(c *gin.Context) error

// Handle makes a gin handler. title is the `error` text when the handler fails
// through no fault of the caller, such as "Failed to schedule job".
func Handle(title string, handler Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := handler(c); err != nil {
			fail(c, title, err)
		}
	}
}

// JSON answers with a value as JSON. A 200 to a GET carries a weak ETag and
// becomes 304 when the client has that very answer already, as from Express.
func JSON(c *gin.Context, status int, value any) error {
	buffer := buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // there is nothing else in it
	defer keep(buffer)
	text, err := encode(buffer, value)
	if err != nil {
		return fmt.Errorf("encode the reply: %w", err)
	}
	header := c.Writer.Header()
	if status == http.StatusOK && (c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead) {
		tag := etag(text)
		header.Set("ETag", tag)
		if matches(c.GetHeader("If-None-Match"), tag) {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return nil
		}
	}
	jsonType.Set(header)
	header.Set("Content-Length", strconv.Itoa(len(text)))
	c.Status(status)
	_, err = c.Writer.Write(text)
	if err != nil {
		_ = c.Error(fmt.Errorf("send the reply: %w", err)) // for the access log: there is nobody to tell
	}
	return nil
}

// FromCache tells in a header whether the answer comes from the cache.
func FromCache(c *gin.Context, hit bool) {
	if hit {
		c.Header("X-Cache", "HIT")
	} else {
		c.Header("X-Cache", "MISS")
	}
}

var jsonType = Fixed("Content-Type", "application/json; charset=utf-8")

// buffers are for the texts of replies, until they are sent.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keep returns a buffer to the others, unless it is one of the few great ones.
func keep(buffer *bytes.Buffer) {
	if buffer.Cap() <= 64<<10 {
		buffer.Reset()
		buffers.Put(buffer)
	}
}

// encode writes JSON as JavaScript does: < and & as they are. The text belongs to
// the buffer.
func encode(buffer *bytes.Buffer, value any) ([]byte, error) {
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), err
}

func etag(text []byte) string {
	sum := sha256.Sum256(text)
	var tag [64]byte
	t := strconv.AppendInt(append(tag[:0], `W/"`...), int64(len(text)), 16)
	return string(append(base64.RawURLEncoding.AppendEncode(append(t, '-'), sum[:15]), '"'))
}

// matches reports whether an If-None-Match header names a tag. Weak and strong
// forms of it are equal here, by RFC 9110.
func matches(header, tag string) bool {
	for given := range strings.SplitSeq(header, ",") {
		given = strings.TrimSpace(given)
		if given == "*" || strings.TrimPrefix(given, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// Instant is a time as JavaScript writes it: ISO 8601 in UTC with
// milliseconds. The zero Instant is null.
type Instant time.Time

// MarshalJSON implements json.Marshaler.
func (i Instant) MarshalJSON() ([]byte, error) {
	if time.Time(i).IsZero() {
		return []byte("null"), nil
	}
	return append(instant.Append([]byte{'"'}, time.Time(i)), '"'), nil
}
