package uploads

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/mediafile"
)

const (
	// overhead is what a body may have beside its files.
	overhead = 1 << 20
	// maxParts bounds the fields that are no files.
	maxParts = 100
)

// received is a whole file on our disk, or a part of one.
type received struct {
	path string
	name string // as the client calls it, or as we do
	file mediafile.Info
}

// receive answers an upload route.
func (h *Handler) receive(s slot) web.Handler {
	return func(c *gin.Context) error {
		var files []received
		defer func() { discard(files) }() // also after a panic
		pace := h.pace(c)
		body := patient{c.Request.Body, pace}
		limit := int64(s.most)*h.options.Limits[s.kind] + overhead
		c.Request.Body = http.MaxBytesReader(c.Writer, body, limit)
		err := explain(h.options.Store.Ready())
		if err == nil {
			err = h.read(c, s, &files)
		}
		if err != nil && c.Request.Context().Err() == nil && !awaited(c.Request, pace) {
			// A proxy that is still sending when the connection closes would
			// report 502 instead of our answer.
			_, _ = io.CopyN(io.Discard, body, limit)
		}
		pace.arrived()
		if pace.late {
			return web.ErrSlowBody
		}
		if err != nil {
			return err
		}
		request := c.Request
		ctx, cancel := context.WithTimeout(request.Context(), h.options.Longest)
		defer cancel()
		c.Request = request.WithContext(ctx)
		defer func() { c.Request = request }() // its context tells whether the client has gone
		return h.keep(c, s, files)
	}
}

// awaited reports whether a client waits to be told that it may send.
func awaited(r *http.Request, p *pace) bool { return p.moved == 0 && r.Header.Get("Expect") != "" }

// read receives the files of a body.
func (h *Handler) read(c *gin.Context, s slot, files *[]received) error {
	reader, err := c.Request.MultipartReader()
	if err != nil {
		return web.Title(s.failed, errs.Invalid("", "the body is not multipart/form-data; send the file in the field %q", s.fields[0]))
	}
	for number := 1; number <= maxParts; number++ {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			// To the end of the body: only then does the server notice that a
			// client goes away.
			if _, err := io.Copy(io.Discard, c.Request.Body); err != nil {
				return broken(s, err)
			}
			return nil
		}
		if err != nil {
			return broken(s, err)
		}
		if err := h.readPart(s, part, number, files); err != nil {
			return err
		}
	}
	return web.Title(s.failed, errs.Invalid("", "the body has more than %d parts", maxParts))
}

// readPart receives one part: a file, or a field that is none. What cannot be
// read is refused, never passed over.
func (h *Handler) readPart(s slot, part *multipart.Part, number int, files *[]received) error {
	about, err := dispositionOf(part)
	if err != nil {
		return web.Title(s.failed, errs.Invalid(about.field, "part %d of the body cannot be read: %s; send the file in the field %q", number, err, s.fields[0]))
	}
	content, err := decoded(part)
	if err != nil {
		return web.Title(s.failed, errs.Invalid(about.field, "part %d of the body cannot be read: %s; send the bytes as they are", number, err))
	}
	isFile, err := s.isFile(part, about, &content)
	if err != nil || !isFile {
		return err
	}
	if err := s.check(about.field, len(*files)); err != nil {
		return err
	}
	return h.readFile(s, about, content, files)
}

// dispositionOf reads the header that names a part; two of them name nothing.
func dispositionOf(part *multipart.Part) (disposition, error) {
	headers := part.Header.Values("Content-Disposition")
	if len(headers) > 1 {
		return disposition{}, errors.New("it has two headers Content-Disposition")
	}
	return parseDisposition(strings.Join(headers, ""))
}

// isFile tells a file from a field that is none, as multer does: by its name. A
// field for files that has content and no name is a file if it has a type, and
// else somebody's mistake. An empty one is an input in which nothing was chosen.
func (s slot) isFile(part *multipart.Part, about disposition, content *io.Reader) (bool, error) {
	if about.file != "" || !slices.Contains(s.fields, about.field) {
		return about.file != "", nil
	}
	first := make([]byte, 1)
	n, err := io.ReadFull(*content, first)
	if n == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return false, broken(s, err)
		}
		return false, nil
	}
	*content = io.MultiReader(strings.NewReader(string(first)), *content)
	kind := part.Header.Get("Content-Type")
	if !about.named && (kind == "" || strings.HasPrefix(kind, "text/")) {
		return false, web.Title(s.failed, web.Mend(errs.Invalid(about.field, "the field %q holds a text and no file", about.field), "send it as a file, with a name"))
	}
	return true, nil
}

func (s slot) check(field string, have int) error {
	if !slices.Contains(s.fields, field) {
		return web.Title(s.failed, web.Mend(errs.Invalid(errs.Shorten(field), "Unexpected field"), "send files in the field %q", s.fields[0]))
	}
	if have == s.most {
		return web.Title(s.failed, web.Mend(errs.Invalid(field, "Too many files"), "send %d at the most", s.most))
	}
	return nil
}

// broken is the failure of a body that cannot be read to its end.
func broken(s slot, err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return web.TooLarge(tooLarge.Limit)
	}
	return web.Title(s.failed, errs.Wrap(errs.KindInvalid, err, "the multipart body is broken or ended before it was complete; send it again"))
}

// isOurs reports whether a copy failed on the side of our disk.
func isOurs(err error) bool {
	_, ok := errors.AsType[*os.PathError](err)
	return ok
}

// discard removes what was received and not moved into a store.
func discard(files []received) {
	for _, file := range files {
		_ = os.Remove(file.path) // mostly it was moved away
	}
}
