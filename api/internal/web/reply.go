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
	"time"

	"github.com/gin-gonic/gin"
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
	text, err := encode(value)
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
	header.Set("Content-Type", "application/json; charset=utf-8")
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

// encode writes JSON as JavaScript does: < and & as they are.
func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

func etag(text []byte) string {
	sum := sha256.Sum256(text)
	return `W/"` + strconv.FormatInt(int64(len(text)), 16) + "-" + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
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
	return []byte(time.Time(i).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}
