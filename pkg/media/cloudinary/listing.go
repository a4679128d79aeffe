package cloudinary

import (
	"context"
	"fmt"
	"iter"

	"github.com/cloudinary/cloudinary-go/v2/api"
	"github.com/cloudinary/cloudinary-go/v2/api/admin"

	"github.com/etrainer/backend/pkg/media"
)

// pageSize is the most that Cloudinary lists at once.
const pageSize = 500

// All implements media.Store.
func (s *Store) All(ctx context.Context) iter.Seq2[media.Asset, error] {
	return func(yield func(media.Asset, error) bool) {
		for _, resource := range []media.ResourceType{media.ResourceImage, media.ResourceVideo, media.ResourceRaw} {
			if !s.list(ctx, resource, yield) {
				return
			}
		}
	}
}

// list walks over one resource type, and reports whether to go on.
func (s *Store) list(ctx context.Context, resource media.ResourceType, yield func(media.Asset, error) bool) bool {
	for cursor := ""; ; {
		var page *admin.AssetsResult
		err := s.do(ctx, s.callTimeout, func(ctx context.Context) error {
			var err error
			page, err = s.cloud.Admin.Assets(ctx, admin.AssetsParams{
				AssetType: api.AssetType(resource), DeliveryType: "upload", Prefix: media.Root + "/", MaxResults: pageSize, NextCursor: cursor,
			})
			return err
		})
		if err != nil {
			yield(media.Asset{}, fmt.Errorf("list Cloudinary: %w", err))
			return false
		}
		for _, found := range page.Assets {
			asset := media.Asset{
				Ref:    media.Ref{PublicID: found.PublicID, ResourceType: resource},
				Format: found.Format, Bytes: int64(found.Bytes), URL: found.SecureURL, CreatedAt: found.CreatedAt,
			}
			if !yield(asset, nil) {
				return false
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			return true
		}
	}
}

// Usage implements media.Store, with the fields that the api really sends:
// amounts are in usage, and limits are credits on newer plans.
func (s *Store) Usage(ctx context.Context) (media.Usage, error) {
	var told struct {
		Plan            string
		Objects         struct{ Usage int64 }
		Bandwidth       amount
		Storage         amount
		Transformations struct{ Usage int64 }
		Requests        int64
		Credits         *struct {
			Usage       float64
			Limit       float64
			UsedPercent float64 `json:"used_percent"`
		}
	}
	err := s.do(ctx, s.callTimeout, func(ctx context.Context) error {
		result, err := s.cloud.Admin.Usage(ctx, admin.UsageParams{})
		if err != nil {
			return err
		}
		return raw(result.Response, &told)
	})
	if err != nil {
		return media.Usage{}, fmt.Errorf("read the usage of Cloudinary: %w", err)
	}
	usage := media.Usage{
		Store: media.StoreCloudinary, Plan: &told.Plan, Storage: told.Storage.measure(), Bandwidth: told.Bandwidth.measure(),
		Requests: &told.Requests, Transformations: &told.Transformations.Usage, Objects: &told.Objects.Usage,
	}
	if told.Credits != nil {
		usage.Credits = &media.Credits{Used: told.Credits.Usage, Limit: told.Credits.Limit, Percentage: told.Credits.UsedPercent}
	}
	return usage, nil
}

// amount is what is used; older plans limit each by itself.
type amount struct {
	Usage       int64
	Limit       *int64
	UsedPercent *float64 `json:"used_percent"`
}

func (t amount) measure() media.Measure {
	return media.Measure{Used: &t.Usage, Limit: t.Limit, Percentage: t.UsedPercent}
}
