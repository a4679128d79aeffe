package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

//go:embed page/index.html page/start.js page/*.gz
var page embed.FS

// policy is the Content-Security-Policy of the page: its own files, the styles
// that Swagger UI sets on elements, and its icons. Requests made by "Try it
// out" go to this server alone.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// assets are the files of the page by the name in the address: where each
// lies, and its type.
var assets = map[string]asset{
	"swagger-ui.css":       {"page/swagger-ui.css.gz", "text/css; charset=utf-8"},
	"swagger-ui-bundle.js": {"page/swagger-ui-bundle.js.gz", "text/javascript; charset=utf-8"},
	"start.js":             {"page/start.js", "text/javascript; charset=utf-8"},
}

type asset struct{ path, contentType string }

// Routes adds /openapi.json, /docs and /docs/assets/:file to /api.
func Routes(group gin.IRoutes) {
	const title = "Documentation not available"
	group.GET("/openapi.json", web.Handle(title, document))
	group.GET("/docs", web.Handle(title, index))
	group.GET("/docs/assets/:file", web.Handle(title, file))
}

func document(c *gin.Context) error {
	text, err := Document()
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, json.RawMessage(text))
}

func index(c *gin.Context) error {
	text, err := page.ReadFile("page/index.html")
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	c.Header("Content-Security-Policy", policy)
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, "text/html; charset=utf-8", text)
	return nil
}

func file(c *gin.Context) error {
	wanted, ok := assets[c.Param("file")]
	if !ok {
		return web.Title("File not found", errs.Newf(errs.NotFound, "the page has no file %q", c.Param("file")))
	}
	text, err := page.ReadFile(wanted.path)
	if err != nil {
		return fmt.Errorf("read a file of the page: %w", err)
	}
	sum := sha256.Sum256(text)
	header := c.Writer.Header()
	header.Set("Content-Type", wanted.contentType)
	header.Set("Cache-Control", "no-cache") // asked for again, and answered 304
	if strings.HasSuffix(wanted.path, ".gz") {
		if !strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
			return unpacked(c, text)
		}
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:15])+`"`)
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(text))
	return nil
}

// unpacked answers the few clients that do not take gzip.
func unpacked(c *gin.Context, packed []byte) error {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("unpack a file of the page: %w", err)
	}
	c.Status(http.StatusOK)
	if _, err := io.Copy(c.Writer, reader); err != nil { //nolint:gosec // our own embedded file is no bomb
		_ = c.Error(fmt.Errorf("send a file of the page: %w", err)) // for the access log: there is nobody to tell
	}
	return nil
}
