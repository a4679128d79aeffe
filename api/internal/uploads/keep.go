package uploads

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
)

// fileView is a stored file. Pictures and documents have no duration; only
// films must have a thumbnail, which is null when nobody can make one.
type fileView struct {
	URL          string   `json:"url"`
	PublicID     string   `json:"publicId"`
	OriginalName string   `json:"originalName"`
	Size         int64    `json:"size"`
	Format       string   `json:"format"`
	Width        int      `json:"width,omitempty"`
	Height       int      `json:"height,omitempty"`
	Duration     *float64 `json:"duration"`  // seconds; null = unknown, or none
	Thumbnail    *string  `json:"thumbnail"` // null = none
}

type manyReply struct {
	Message string     `json:"message"`
	Files   []fileView `json:"files"`
	Count   int        `json:"count"`
}

type oneReply struct {
	Message string   `json:"message"`
	File    fileView `json:"file"`
}

// keep stores all files of a request with their records, or none.
func (h *Handler) keep(c *gin.Context, s slot, files []received) error {
	if len(files) == 0 && s.noFile != "" {
		return web.Title(s.noFile, errs.Invalid(s.fields[0], "%s", s.noFile))
	}
	views := make([]fileView, 0, len(files))
	var kept []media.Ref
	for _, file := range files {
		asset, err := h.keepOne(c, s, file)
		if asset.PublicID != "" {
			kept = append(kept, asset.Ref)
		}
		if err != nil {
			h.takeBack(c, kept)
			if errs.KindOf(err) == errs.KindInvalid {
				return web.Title(s.failed, err)
			}
			return err
		}
		views = append(views, h.view(c, file.name, asset))
	}
	if s.many {
		return web.JSON(c, http.StatusOK, manyReply{s.success, views, len(views)})
	}
	return web.JSON(c, http.StatusOK, oneReply{s.success, views[0]})
}

// keepOne stores a file and its record. The asset it returns with an error is
// to be taken back.
func (h *Handler) keepOne(c *gin.Context, s slot, file received) (media.Asset, error) {
	upload := media.Upload{PublicID: media.NewPublicID(s.kind, file.file.Format), Kind: s.kind, Path: file.path, File: file.file}
	asset, err := h.options.Store.Put(c.Request.Context(), upload)
	if away, ok := errors.AsType[*media.UnavailableError](err); ok && !away.Sent {
		return media.Asset{}, explain(err)
	}
	if err != nil {
		return media.Asset{Ref: upload.Ref()}, explain(err)
	}
	err = h.options.Records.Add(c.Request.Context(), media.Record{
		Ref: asset.Ref, Kind: s.kind, Owner: auth.CallerOf(c.Request.Context()).User.ID, Store: h.options.Store.Name(),
		Format: asset.Format, Bytes: asset.Bytes, Width: asset.Width, Height: asset.Height, Duration: asset.Duration,
		OriginalName: file.name, CreatedAt: h.options.Now(),
	})
	if err != nil {
		return asset, fmt.Errorf("record %s: %w", asset.PublicID, err)
	}
	return asset, nil
}

// takeBack removes what a failed request has stored.
func (h *Handler) takeBack(c *gin.Context, refs []media.Ref) {
	ctx, cancel := undo(c.Request.Context())
	defer cancel()
	for _, ref := range refs {
		errRecord := h.options.Records.Remove(ctx, ref.PublicID)
		errStore := h.options.Store.Delete(ctx, ref)
		if errors.Is(errStore, media.ErrNotFound) {
			errStore = nil
		}
		level := slog.LevelWarn
		if _, away := errors.AsType[*media.UnavailableError](errStore); away && errRecord == nil {
			level = slog.LevelInfo // that has been told
		}
		if err := errors.Join(errRecord, errStore); err != nil {
			h.options.Log.Log(ctx, level, `file of a failed upload perhaps not removed; the job "check orphaned media" will find it`,
				slog.String("public_id", ref.PublicID), slog.Any("error", err))
		}
	}
}

func (h *Handler) view(c *gin.Context, name string, asset media.Asset) fileView {
	view := fileView{
		URL: h.absolute(c, asset.URL), PublicID: asset.PublicID, OriginalName: name, Size: asset.Bytes,
		Format: asset.Format, Width: asset.Width, Height: asset.Height,
	}
	if asset.Duration > 0 {
		view.Duration = &asset.Duration
	}
	if asset.Thumbnail != "" {
		thumbnail := h.absolute(c, asset.Thumbnail)
		view.Thumbnail = &thumbnail
	}
	return view
}
