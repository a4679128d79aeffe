package uploads

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
)

// Options are the parts of a Handler.
type Options struct {
	// Store keeps new files.
	Store media.Store
	// Others keep older ones, from before the configuration changed.
	Others []media.Store
	// Files serves /media/; nil = nothing is served there.
	Files Files
	// Records keeps who owns what.
	Records media.Records
	// Limits are the greatest files in bytes.
	Limits map[media.Kind]int64
	// Incoming is the directory in which files are received; "" = the
	// system's for temporary files.
	Incoming string
	// BaseURL stands before addresses of our own, such as
	// https://api.example.com; "" = as the request names us.
	BaseURL string
	// Pause is how long a client may send, or take, nothing; 0 = 30 s.
	Pause time.Duration
	// Longest is how long a transfer may take that is slower than 32 KiB a
	// second, and the storing of what was received; 0 = 5 min.
	Longest time.Duration
	Now     func() time.Time
	Log     *slog.Logger
}

// Handler answers the routes.
type Handler struct{ options Options }

// NewHandler returns a Handler.
func NewHandler(options Options) *Handler {
	options.Pause = cmp.Or(options.Pause, longestPause)
	options.Longest = cmp.Or(options.Longest, longest)
	return &Handler{options}
}

// cleanupTimeout bounds the undoing of a request, which goes on when the
// client is gone.
const cleanupTimeout = 10 * time.Second

// storeOf is the store that keeps a recorded file.
func (h *Handler) storeOf(record media.Record) (media.Store, error) {
	for _, store := range append([]media.Store{h.options.Store}, h.options.Others...) {
		if store.Name() == record.Store {
			return store, nil
		}
	}
	return nil, errs.Wrap(errs.Unavailable, fmt.Errorf("the store %q of %s is not configured", record.Store, record.PublicID),
		"the file is in a storage that is not connected at present; its operators have to configure it again")
}

// errNoFile says the same to whoever may not see a file as to whoever asks for
// one that is not there.
var errNoFile = web.Title("File not found", errs.New(errs.NotFound, "no file of yours has this public id; it may have been deleted"))

// find returns a file that the caller owns, or that an administrator asks for.
// Files of the Node backend have no record: only administrators reach those,
// and say what type they are of.
func (h *Handler) find(c *gin.Context) (media.Record, media.Store, error) {
	id := c.Param("publicId")
	asked := media.ResourceType(c.DefaultQuery("resourceType", string(media.ResourceImage)))
	if !asked.Known() {
		return media.Record{}, nil, errs.Invalid("resourceType", "resourceType must be image, video or raw")
	}
	caller := auth.CallerOf(c.Request.Context()).User
	record, err := h.options.Records.Get(c.Request.Context(), id)
	switch {
	case errors.Is(err, media.ErrNotFound) && caller.Admin() && strings.HasPrefix(id, media.Root+"/"):
		return media.Record{Ref: media.Ref{PublicID: id, ResourceType: asked}}, h.options.Store, nil
	case errors.Is(err, media.ErrNotFound), err == nil && record.Owner != caller.ID && !caller.Admin():
		return media.Record{}, nil, errNoFile
	case err != nil:
		return media.Record{}, nil, err
	}
	store, err := h.storeOf(record)
	return record, store, err
}

// explain turns a store's failure into one for users.
func explain(err error) error {
	if away, ok := errors.AsType[*media.UnavailableError](err); ok {
		failure := errs.Wrap(errs.Unavailable, away, "the file storage does not answer now; nothing was changed, try again in some seconds")
		if away.RetryAfter > 0 {
			return web.After(away.RetryAfter, failure)
		}
		return failure
	}
	if refused, ok := errors.AsType[*media.RefusedError](err); ok {
		return errs.Wrap(errs.KindInvalid, refused, refused.Reason)
	}
	if errors.Is(err, media.ErrNotFound) {
		return errNoFile
	}
	return err
}

// absolute makes a path of ours an address.
func (h *Handler) absolute(c *gin.Context, address string) string {
	if !strings.HasPrefix(address, "/") {
		return address
	}
	if h.options.BaseURL != "" {
		return h.options.BaseURL + address
	}
	scheme := "http"
	if c.Request.TLS != nil || c.GetHeader("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + c.Request.Host + address
}

// undo is the context of what must be done though the request has ended.
func undo(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
}
