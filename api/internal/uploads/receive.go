package uploads

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
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
	name string // as the client calls it
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
	for range maxParts {
		part, err := reader.NextPart()
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
		if part.FileName() == "" {
			continue // a field that is no file, as multer ignores it
		}
		if err := s.check(part.FormName(), len(*files)); err != nil {
			return err
		}
		if err := h.readFile(s, part, files); err != nil {
			return err
		}
	}
	return web.Title(s.failed, errs.Invalid("", "the body has more than %d parts", maxParts))
}

func (s slot) check(field string, have int) error {
	if !slices.Contains(s.fields, field) {
		return web.Title(s.failed, web.Mend(errs.Invalid(shorten(field), "Unexpected field"), "send files in the field %q", s.fields[0]))
	}
	if have == s.most {
		return web.Title(s.failed, web.Mend(errs.Invalid(field, "Too many files"), "send %d at the most", s.most))
	}
	return nil
}

// readFile receives one file: limited while it comes in, and refused by its
// first bytes. It is among the files from the moment that it is on the disk.
func (h *Handler) readFile(s slot, part *multipart.Part, files *[]received) error {
	head := make([]byte, mediafile.HeadSize)
	n, err := io.ReadFull(part, head)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		_, err = part.Read(make([]byte, 1)) // was it the end of the part, or of the body?
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return broken(s, err)
	}
	head = head[:n]
	format := mediafile.Sniff(head)
	if !s.mayBe(format) {
		return s.refuseType(part)
	}
	file, err := os.CreateTemp(h.options.Incoming, "upload-*")
	if err != nil {
		return fmt.Errorf("receive a file: %w", err)
	}
	*files = append(*files, received{path: file.Name(), name: cleanName(part.FileName())})
	limit := h.options.Limits[s.kind]
	size, err := io.Copy(file, io.LimitReader(io.MultiReader(bytes.NewReader(head), part), limit+1))
	if errClose := file.Close(); err == nil && errClose != nil {
		return fmt.Errorf("receive a file: %w", errClose)
	}
	switch {
	case size > limit:
		return web.Title(s.failed, web.Mend(errs.Invalid(part.FormName(), "File too large"), "send %d bytes at the most", limit))
	case err != nil && isOurs(err):
		return fmt.Errorf("receive a file: %w", err)
	case err != nil:
		return broken(s, err)
	}
	(*files)[len(*files)-1].file, err = measure(s, part, file.Name(), size, format)
	return err
}

// mayBe reports whether a format fits the kind. Which of MP4 and M4A a file is
// shows only when it is whole.
func (s slot) mayBe(format mediafile.Format) bool {
	return s.kind.Takes(format) || s.kind == media.Audio && format == mediafile.MP4 || s.kind == media.Video && format == mediafile.M4A
}

func (s slot) refuseType(part *multipart.Part) error {
	return web.Title(s.failed, errs.Invalid(part.FormName(), "%s", s.wrongType))
}

func measure(s slot, part *multipart.Part, path string, size int64, format mediafile.Format) (mediafile.Info, error) {
	file, err := os.Open(path)
	if err != nil {
		return mediafile.Info{}, fmt.Errorf("measure a file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := mediafile.Measure(file, size, format)
	if err != nil {
		return info, web.Title(s.failed, errs.Invalid(part.FormName(), "%s; send another one", err))
	}
	if !s.kind.Takes(info.Format) {
		return info, s.refuseType(part)
	}
	return info, nil
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

// cleanName keeps what is shown of a client's file name: no folders, no signs
// that cannot be seen, not more than 255 bytes.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\ufffd"))
	if at := strings.LastIndexAny(name, `/\`); at >= 0 {
		name = name[at+1:]
	}
	for len(name) > 255 {
		runes := []rune(name)
		name = string(runes[:len(runes)-1-(len(name)-255)/4])
	}
	return name
}

func shorten(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
