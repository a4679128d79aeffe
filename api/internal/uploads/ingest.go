package uploads

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	"os"
	"strings"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// decoded reads the bytes of a part: mailers send them as letters.
func decoded(part *multipart.Part) (io.Reader, error) {
	if coding := part.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, fmt.Errorf("it is compressed (Content-Encoding %q)", errs.Shorten(coding))
	}
	switch coding := strings.ToLower(strings.TrimSpace(part.Header.Get("Content-Transfer-Encoding"))); coding {
	case "", "7bit", "8bit", "binary":
		return part, nil
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, part), nil
	case "quoted-printable":
		return quotedprintable.NewReader(part), nil
	default:
		return nil, fmt.Errorf("its Content-Transfer-Encoding %q is not known", errs.Shorten(coding))
	}
}

// readFile receives one file: limited while it comes in, and refused by its
// first bytes. It is among the files from the moment that it is on the disk.
func (h *Handler) readFile(s slot, about disposition, content io.Reader, files *[]received) error {
	head := make([]byte, mediafile.HeadSize)
	n, err := io.ReadFull(content, head)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		_, err = content.Read(make([]byte, 1)) // was it the end of the part, or of the body?
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return broken(s, err)
	}
	head = head[:n]
	format := mediafile.Sniff(head)
	if !s.mayBe(format) {
		return s.refuseType(about.field, mediafile.Describe(head))
	}
	file, err := os.CreateTemp(h.options.Incoming, "upload-*")
	if err != nil {
		return fmt.Errorf("receive a file: %w", err)
	}
	*files = append(*files, received{path: file.Name()})
	limit := h.options.Limits[s.kind]
	size, err := io.Copy(file, io.LimitReader(io.MultiReader(bytes.NewReader(head), content), limit+1))
	if errClose := file.Close(); err == nil && errClose != nil {
		return fmt.Errorf("receive a file: %w", errClose)
	}
	switch {
	case size > limit:
		return web.Title(s.failed, web.Mend(errs.Invalid(about.field, "File too large"), "send %d bytes at the most", limit))
	case err != nil && isOurs(err):
		return fmt.Errorf("receive a file: %w", err)
	case err != nil:
		return broken(s, err)
	}
	return h.finish(s, about, &(*files)[len(*files)-1], size, format)
}

// finish measures a file that is whole, cleans it, and names it.
func (h *Handler) finish(s slot, about disposition, file *received, size int64, format mediafile.Format) error {
	var err error
	if file.file, err = measure(s, about.field, file.path, size, format); err != nil {
		return err
	}
	file.name = cleanName(about.file, s.kind, file.file.Format)
	if s.kind != media.Image {
		return nil
	}
	file.file.Size, err = h.clean(file.path, file.file)
	if errors.Is(err, mediafile.ErrDamaged) {
		return web.Title(s.failed, errs.Invalid(about.field, "%s; send another one", err))
	}
	return err
}

// mayBe reports whether a format fits the kind. Which of MP4 and M4A a file is
// shows only when it is whole.
func (s slot) mayBe(format mediafile.Format) bool {
	return s.kind.Takes(format) || s.kind == media.Audio && format == mediafile.MP4 || s.kind == media.Video && format == mediafile.M4A
}

// refuseType says what is wrong with a file, and what is taken. The message is
// that of the Node backend; the details tell the reason.
func (s slot) refuseType(field, reason string) error {
	return web.Title(s.failed, web.Mend(errs.Invalid(field, "%s", s.wrongType), "the file %s; %s", reason, s.takes))
}

func measure(s slot, field, path string, size int64, format mediafile.Format) (mediafile.Info, error) {
	file, err := os.Open(path)
	if err != nil {
		return mediafile.Info{}, fmt.Errorf("measure a file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := mediafile.Measure(file, size, format)
	if other, is := errors.AsType[*mediafile.NotTakenError](err); is {
		return info, s.refuseType(field, other.Reason)
	}
	if err != nil {
		return info, web.Title(s.failed, errs.Invalid(field, "%s; send another one", err))
	}
	if !s.kind.Takes(info.Format) {
		return info, s.refuseType(field, info.Format.Describe())
	}
	return info, nil
}

// clean takes out of a picture what its owner does not mean to publish, and
// returns its size.
func (h *Handler) clean(path string, info mediafile.Info) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("clean a picture: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	content, size, err := mediafile.Clean(file, info)
	if err != nil || content == nil {
		return size, err
	}
	clean, err := os.CreateTemp(h.options.Incoming, "upload-*")
	if err != nil {
		return 0, fmt.Errorf("clean a picture: %w", err)
	}
	_, err = io.Copy(clean, content)
	if err = errors.Join(err, clean.Close()); err == nil {
		err = os.Rename(clean.Name(), path)
	}
	if err != nil {
		return 0, fmt.Errorf("clean a picture: %w", errors.Join(err, os.Remove(clean.Name())))
	}
	return size, nil
}
