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
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

const (
	// longest is how long an upload may take, as behind nginx.
	longest = 5 * time.Minute
	// longestPause is how long a client may send nothing.
	longestPause = 30 * time.Second
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
		if err := h.options.Store.Ready(); err != nil {
			return explain(err)
		}
		extend(c)
		limit := int64(s.most)*h.options.Limits[s.kind] + overhead
		ctx, cancel := context.WithTimeout(c.Request.Context(), longest)
		defer cancel()
		request, body := c.Request, c.Request.Body
		c.Request = request.WithContext(ctx)
		defer func() { c.Request = request }() // its context tells whether the client has gone
		c.Request.Body = http.MaxBytesReader(c.Writer, body, limit)
		files, err := h.read(c, s)
		defer discard(files)
		if err == nil {
			err = h.keep(c, s, files)
		}
		if err != nil && ctx.Err() == nil {
			// A proxy that is still sending when the connection closes would
			// report 502 instead of our answer.
			_, _ = io.CopyN(io.Discard, body, limit)
		}
		return err
	}
}

// extend gives an upload more time than other requests, but not to clients
// that stall.
func extend(c *gin.Context) {
	control := http.NewResponseController(c.Writer)
	end := time.Now().Add(longest)
	_ = control.SetWriteDeadline(end.Add(longestPause)) // a writer without deadlines has no need of them
	c.Request.Body = &patient{ReadCloser: c.Request.Body, extend: func() {
		pause := time.Now().Add(longestPause)
		if pause.After(end) {
			pause = end
		}
		_ = control.SetReadDeadline(pause)
	}}
}

// patient moves the deadline of a body with every read.
type patient struct {
	io.ReadCloser
	extend func()
}

func (p *patient) Read(b []byte) (int, error) {
	p.extend()
	return p.ReadCloser.Read(b)
}

// read receives the files of a body. What it returns is to be discarded, also
// after an error.
func (h *Handler) read(c *gin.Context, s slot) ([]received, error) {
	reader, err := c.Request.MultipartReader()
	if err != nil {
		return nil, web.Title(s.failed, errs.Invalid("", "the body is not multipart/form-data; send the file in the field %q", s.fields[0]))
	}
	var files []received
	for range maxParts {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			// To the end of the body: only then does the server notice that a
			// client goes away.
			if _, err := io.Copy(io.Discard, c.Request.Body); err != nil {
				return files, broken(s, err)
			}
			return files, nil
		}
		if err != nil {
			return files, broken(s, err)
		}
		if part.FileName() == "" {
			continue // a field that is no file, as multer ignores it
		}
		if err := s.check(part.FormName(), len(files)); err != nil {
			return files, err
		}
		file, err := h.readFile(s, part)
		if file.path != "" {
			files = append(files, file)
		}
		if err != nil {
			return files, err
		}
	}
	return files, web.Title(s.failed, errs.Invalid("", "the body has more than %d parts", maxParts))
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
// first bytes.
func (h *Handler) readFile(s slot, part *multipart.Part) (received, error) {
	head := make([]byte, mediafile.HeadSize)
	n, err := io.ReadFull(part, head)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		_, err = part.Read(make([]byte, 1)) // was it the end of the part, or of the body?
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return received{}, broken(s, err)
	}
	head = head[:n]
	format := mediafile.Sniff(head)
	if !s.mayBe(format) {
		return received{}, s.refuseType(part)
	}
	file, err := os.CreateTemp(h.options.Incoming, "upload-*")
	if err != nil {
		return received{}, fmt.Errorf("receive a file: %w", err)
	}
	got := received{path: file.Name(), name: cleanName(part.FileName())}
	limit := h.options.Limits[s.kind]
	size, err := io.Copy(file, io.LimitReader(io.MultiReader(bytes.NewReader(head), part), limit+1))
	if errClose := file.Close(); err == nil && errClose != nil {
		return got, fmt.Errorf("receive a file: %w", errClose)
	}
	switch {
	case size > limit:
		return got, web.Title(s.failed, web.Mend(errs.Invalid(part.FormName(), "File too large"), "send %d bytes at the most", limit))
	case err != nil && isOurs(err):
		return got, fmt.Errorf("receive a file: %w", err)
	case err != nil:
		return got, broken(s, err)
	}
	got.file, err = measure(s, part, got.path, size, format)
	return got, err
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
