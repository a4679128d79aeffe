package uploads

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
)

type optimizeRequest struct {
	PublicID   string          `json:"publicId"`
	Width      json.RawMessage `json:"width"`
	Height     json.RawMessage `json:"height"`
	Quality    *text           `json:"quality"`
	Responsive bool            `json:"responsive"`
}

// optimizeReply is the answer. Sizes are absent where they are not known: of
// files of the Node backend.
type optimizeReply struct {
	Message          string `json:"message"`
	OriginalPublicID string `json:"originalPublicId"`
	OptimizedURL     string `json:"optimizedUrl"`
	Width            int    `json:"width,omitempty"`
	Height           int    `json:"height,omitempty"`
	// Limited tells that the picture is not in the size that was asked for, and
	// Reason why.
	Limited    bool          `json:"limited"`
	Reason     string        `json:"reason,omitempty"`
	Responsive []variantView `json:"responsive,omitempty"` // the smallest first
}

type variantView struct {
	URL    string `json:"url"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// optimize answers for pictures of anybody: their addresses are public. Whoever
// is not the owner gets fewer sizes drawn.
func (h *Handler) optimize(c *gin.Context) error {
	request, err := web.Decode[optimizeRequest](c)
	if err != nil {
		return err
	}
	asked, err := request.transform()
	if err != nil {
		return err
	}
	store, record := h.options.Store, media.Record{}
	found, err := h.options.Records.Get(c.Request.Context(), request.PublicID)
	switch {
	case err == nil:
		record = found
		if store, err = h.storeOf(record); err != nil {
			return err
		}
	case !errors.Is(err, media.ErrNotFound):
		return err
	}
	caller := auth.CallerOf(c.Request.Context()).User
	asked.ByStranger = caller.ID != record.Owner && !caller.Admin()
	views, made, err := h.variants(c, store, record, request, asked)
	if err != nil {
		return explain(err)
	}
	first := views[0]
	reason := whyNot(asked, made, record)
	return web.JSON(c, http.StatusOK, optimizeReply{
		Message: "Optimized URL generated", OriginalPublicID: request.PublicID,
		OptimizedURL: first.URL, Width: first.Width, Height: first.Height, Responsive: views[1:],
		Limited: reason != "", Reason: reason,
	})
}

// reasons are the sentences for why a picture is not redrawn.
var reasons = map[media.Why]string{
	media.WhyMoves:  "the picture moves, and moving pictures are not redrawn",
	media.WhyMemory: "the picture would take too much memory to be drawn in this size",
	media.WhySizes:  "the picture has as many sizes as it may have; those of a responsive set are always drawn: 320, 640, 960, 1280 or 1920 wide, without a height, in the quality auto:good",
	media.WhyKind:   "the picture is of a kind that cannot be redrawn",
}

// whyNot says why a picture is not in the size that was asked for; "" = it is,
// or its size is not known.
func whyNot(asked media.Transform, made media.Variant, record media.Record) string {
	wanted := media.Transform{Width: asked.Width, Height: asked.Height}
	if wanted.Width == 0 && wanted.Height == 0 {
		wanted.Width, wanted.Height = record.Width, record.Height
	}
	switch {
	case made.Width == 0, (wanted.Width == 0 || made.Width == wanted.Width) && (wanted.Height == 0 || made.Height == wanted.Height):
		return ""
	case made.Why != "":
		return reasons[made.Why]
	case max(wanted.Width, wanted.Height) > media.MaxSide:
		return fmt.Sprintf("sides have %d pixels at the most", media.MaxSide)
	}
	return "the picture is smaller than that, and pictures are not enlarged"
}

// transform is what a request asks for.
func (r optimizeRequest) transform() (media.Transform, error) {
	if r.PublicID == "" {
		return media.Transform{}, web.Title("Public ID is required", errs.Invalid("publicId", "Public ID is required"))
	}
	asked := media.Transform{Quality: media.DefaultQuality}
	var err error
	if asked.Width, err = readNumber("width", r.Width); err != nil {
		return asked, err
	}
	if asked.Height, err = readNumber("height", r.Height); err != nil {
		return asked, err
	}
	if r.Quality != nil {
		asked.Quality = string(*r.Quality)
	}
	if err = asked.Validate(); err != nil {
		return asked, explain(err)
	}
	return asked, nil
}

// variants are the picture as it was asked for, and the responsive set behind
// it; first is what the store says of the former.
func (h *Handler) variants(c *gin.Context, store media.Store, record media.Record, request optimizeRequest, asked media.Transform) (views []variantView, first media.Variant, err error) {
	transforms := []media.Transform{asked.Within(record.Width, record.Height)}
	if request.Responsive {
		transforms = append(transforms, asked.Responsive(record.Width, record.Height)...)
	}
	made, err := store.Optimize(c.Request.Context(), media.Ref{PublicID: request.PublicID, ResourceType: media.ResourceImage}, transforms...)
	if err != nil {
		return nil, media.Variant{}, err
	}
	views = make([]variantView, len(made))
	for i := range made {
		if made[i].Width == 0 {
			made[i].Width, made[i].Height = transforms[i].Box(record.Width, record.Height)
		}
		views[i] = variantView{h.absolute(c, made[i].URL), made[i].Width, made[i].Height}
	}
	return views, made[0], nil
}
