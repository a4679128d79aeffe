package uploads

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
)

type optimizeRequest struct {
	PublicID   string  `json:"publicId"`
	Width      *number `json:"width"`
	Height     *number `json:"height"`
	Quality    *text   `json:"quality"`
	Responsive bool    `json:"responsive"`
}

// optimizeReply is the answer. Sizes are absent where they are not known: of
// files of the Node backend.
type optimizeReply struct {
	Message          string `json:"message"`
	OriginalPublicID string `json:"originalPublicId"`
	OptimizedURL     string `json:"optimizedUrl"`
	Width            int    `json:"width,omitempty"`
	Height           int    `json:"height,omitempty"`
	// Limited tells that the picture is smaller than was asked for: pictures
	// are not enlarged.
	Limited    bool          `json:"limited"`
	Responsive []variantView `json:"responsive,omitempty"` // the smallest first
}

type variantView struct {
	URL    string `json:"url"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// optimize answers for pictures of anybody: their addresses are public.
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
	views, err := h.variants(c, store, record, request, asked)
	if err != nil {
		return explain(err)
	}
	first := views[0]
	return web.JSON(c, http.StatusOK, optimizeReply{
		Message: "Optimized URL generated", OriginalPublicID: request.PublicID,
		OptimizedURL: first.URL, Width: first.Width, Height: first.Height, Responsive: views[1:],
		Limited: first.Width > 0 && (first.Width < asked.Width || first.Height < asked.Height),
	})
}

// transform is what a request asks for.
func (r optimizeRequest) transform() (media.Transform, error) {
	if r.PublicID == "" {
		return media.Transform{}, web.Title("Public ID is required", errs.Invalid("publicId", "Public ID is required"))
	}
	asked := media.Transform{Quality: media.DefaultQuality}
	if r.Width != nil {
		asked.Width = int(*r.Width)
	}
	if r.Height != nil {
		asked.Height = int(*r.Height)
	}
	if r.Quality != nil {
		asked.Quality = string(*r.Quality)
	}
	if err := asked.Validate(); err != nil {
		return asked, explain(err)
	}
	return asked, nil
}

// variants are the picture as it was asked for, and the responsive set behind
// it.
func (h *Handler) variants(c *gin.Context, store media.Store, record media.Record, request optimizeRequest, asked media.Transform) ([]variantView, error) {
	transforms := []media.Transform{asked.Within(record.Width, record.Height)}
	if request.Responsive {
		transforms = append(transforms, asked.Responsive(record.Width, record.Height)...)
	}
	made, err := store.Optimize(c.Request.Context(), media.Ref{PublicID: request.PublicID, ResourceType: media.ResourceImage}, transforms...)
	if err != nil {
		return nil, err
	}
	views := make([]variantView, len(made))
	for i, variant := range made {
		if variant.Width == 0 {
			variant.Width, variant.Height = transforms[i].Box(record.Width, record.Height)
		}
		views[i] = variantView{h.absolute(c, variant.URL), variant.Width, variant.Height}
	}
	return views, nil
}
