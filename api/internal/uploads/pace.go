package uploads

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
)

// The bounds of a transfer.
const (
	// longest is how long one may take, and the storing of what was received.
	longest = 5 * time.Minute
	// longestPause is how long a client may send, or take, nothing.
	longestPause = 30 * time.Second
	// slowest is how many bytes in a second win a transfer another second: a
	// great file over a slow line may take longer, a client that drips may not.
	slowest = 32 << 10
)

// pace gives a transfer more time than other requests have, as long as it goes
// on: it moves the deadlines of the connection with every piece.
type pace struct {
	control        *http.ResponseController
	end            time.Time // of a transfer without any bytes
	pause, longest time.Duration
	moved          int64 // bytes
	late           bool  // a piece did not come in time
}

func (h *Handler) pace(c *gin.Context) *pace {
	return &pace{
		control: http.NewResponseController(c.Writer), end: time.Now().Add(h.options.Longest),
		pause: h.options.Pause, longest: h.options.Longest,
	}
}

// next is when the next piece must have moved.
func (p *pace) next() time.Time {
	next := time.Now().Add(p.pause)
	if end := p.end.Add(time.Duration(p.moved/slowest) * time.Second); end.Before(next) {
		return end
	}
	return next
}

// arrived gives the storing of what was received its time, and the reply.
func (p *pace) arrived() {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.longest + p.pause)) // a connection without deadlines has no need of one
}

// patient is a body that is received at a pace. It notes that it came too
// slowly: the readers of multipart bodies do not always pass that on.
type patient struct {
	io.ReadCloser
	*pace
}

func (p patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(p.next())
	n, err := p.ReadCloser.Read(b)
	p.moved += int64(n)
	p.late = p.late || errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

// steady is a reply that is sent at a pace.
type steady struct {
	http.ResponseWriter
	*pace
}

func (s steady) Write(b []byte) (int, error) {
	_ = s.control.SetWriteDeadline(s.next())
	n, err := s.ResponseWriter.Write(b)
	s.moved += int64(n)
	return n, err
}
