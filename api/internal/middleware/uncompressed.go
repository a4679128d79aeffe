package middleware

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

// bodyMethods are those whose bodies are read.
var bodyMethods = []string{http.MethodPost, http.MethodPut, http.MethodPatch}

// Uncompressed answers 415 to a body that is compressed. A few kilobytes of one
// can hold a gigabyte, and no client of this api sends any. Accept-Encoding tells
// what is taken, as RFC 9110 (section 15.5.16) wants it.
func Uncompressed() gin.HandlerFunc {
	return func(c *gin.Context) {
		coding := strings.Join(c.Request.Header.Values("Content-Encoding"), ", ")
		if coding == "" || strings.EqualFold(coding, "identity") || c.Request.ContentLength == 0 || !slices.Contains(bodyMethods, c.Request.Method) {
			return
		}
		if c.GetHeader("Expect") == "" {
			drain(c.Request.Body, 0)
		}
		c.Header("Accept-Encoding", "identity")
		web.Fail(c, errs.Newf(errs.Unsupported, "the body is compressed (Content-Encoding %q); send it uncompressed", errs.Shorten(coding)))
	}
}
