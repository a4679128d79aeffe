package uploads

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// Files are the files of the local disk.
type Files interface {
	// Open opens one by its path below /media/, or returns media.ErrNotFound.
	Open(path string) (*os.File, mediafile.Format, error)
}

// FileRoutes adds /media/, for everybody: whoever knows an address may see the
// file, as with Cloudinary.
func (h *Handler) FileRoutes(routes gin.IRoutes) {
	routes.GET("/media/*path", web.Handle("Failed to read file", h.serve))
}

// serve delivers a file with ranges and conditions. Its type is the one that
// was found when it came in; browsers may not guess another, and what is no
// picture, sound or film is saved and not shown.
func (h *Handler) serve(c *gin.Context) error {
	if h.options.Files == nil {
		return errNoFile
	}
	file, format, err := h.options.Files.Open(strings.TrimPrefix(c.Param("path"), "/"))
	if errors.Is(err, media.ErrNotFound) {
		return web.Title("File not found", errs.New(errs.NotFound, "there is no file at this address; it may have been deleted"))
	}
	if err != nil {
		return fmt.Errorf("open a file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	stat, err := file.Stat()
	if err != nil {
		return fmt.Errorf("inspect a file: %w", err)
	}
	if stat.IsDir() || format.ContentType() == "" {
		return errNoFile
	}
	disposition := "inline"
	if media.Document.Takes(format) {
		disposition = "attachment"
	}
	contentType, err := typeOf(file, format)
	if err != nil {
		return fmt.Errorf("read a file: %w", err)
	}
	header := c.Writer.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Disposition", fmt.Sprintf("%s; filename=%q", disposition, stat.Name()))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages of the app show it
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("ETag", fmt.Sprintf(`"%x-%x"`, stat.ModTime().UnixNano(), stat.Size()))
	request := c.Request.Clone(c.Request.Context())
	if asked := request.Header.Get("Range"); asked != "" {
		request.Header.Set("Range", canonicalRange(asked, stat.Size()))
	}
	http.ServeContent(steady{c.Writer, h.pace(c)}, request, "", stat.ModTime(), file)
	return nil
}

// typeOf is the Content-Type of a file: that of a text has its encoding.
func typeOf(file io.ReadSeeker, format mediafile.Format) (string, error) {
	if format != mediafile.TXT {
		return format.ContentType(), nil
	}
	contentType := mediafile.TextType(file)
	_, err := file.Seek(0, io.SeekStart)
	return contentType, err
}
