package cloudinary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/cloudinary/cloudinary-go/v2"
	"github.com/cloudinary/cloudinary-go/v2/api"
	"github.com/cloudinary/cloudinary-go/v2/api/admin"
	"github.com/cloudinary/cloudinary-go/v2/api/uploader"
	"github.com/cloudinary/cloudinary-go/v2/config"
	"github.com/cloudinary/cloudinary-go/v2/logger"
	"github.com/sony/gobreaker/v2"

	"github.com/etrainer/backend/pkg/media"
)

// Options are the account and the bounds.
type Options struct {
	CloudName, APIKey, APISecret string
	// Address is where the api is; "" = https://api.cloudinary.com.
	Address string
	// UploadTimeout bounds one try of an upload; 0 = 4 min.
	UploadTimeout time.Duration
	// CallTimeout bounds one try of any other call; 0 = 5 s.
	CallTimeout time.Duration
	// StallAfter is how long an upload may stand still before Cloudinary is
	// asked whether it is there at all, for which it has eight times as long;
	// 0 = 0.1 s.
	StallAfter time.Duration
	// BreakFor is how long the open breaker refuses before it lets one call
	// through; 0 = 10 s.
	BreakFor time.Duration
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Store implements media.Store. It is safe for concurrent use.
type Store struct {
	cloud                      *sdk.Cloudinary
	name                       string
	transport                  *transport
	probes                     *http.Transport
	breaker                    *gobreaker.CircuitBreaker[struct{}]
	uploadTimeout, callTimeout time.Duration
	stallAfter, breakFor       time.Duration
	address                    string
	mute                       atomic.Bool // the next failure opens the breaker
	ill                        atomic.Bool // a call failed since Health asked last
	now                        func() time.Time

	health    sync.Mutex
	healthAt  time.Time
	healthErr error
}

var _ media.Store = (*Store)(nil)

// dialTimeout is how long a connection may take to be made.
const dialTimeout = 700 * time.Millisecond

// configuring is held while the SDK makes a configuration, for which it
// changes a decoder that all share.
var configuring sync.Mutex

func newConfiguration(o Options) (*config.Configuration, error) {
	configuring.Lock()
	defer configuring.Unlock()
	return config.NewFromParams(o.CloudName, o.APIKey, o.APISecret)
}

// New returns a Store. Nothing is sent yet.
func New(o Options) (*Store, error) {
	configuration, err := newConfiguration(o)
	if err != nil {
		return nil, fmt.Errorf("configure Cloudinary: %w", err)
	}
	if o.Address != "" {
		configuration.API.UploadPrefix = o.Address // before the client is made: it keeps a copy
	}
	cloud, err := sdk.NewFromConfiguration(*configuration)
	if err != nil {
		return nil, fmt.Errorf("configure Cloudinary: %w", err)
	}
	s := &Store{
		cloud: cloud, name: o.CloudName, uploadTimeout: orElse(o.UploadTimeout, 4*time.Minute),
		callTimeout: orElse(o.CallTimeout, 5*time.Second), breakFor: orElse(o.BreakFor, 10*time.Second), now: o.Now,
		stallAfter: orElse(o.StallAfter, 100*time.Millisecond), address: configuration.API.UploadPrefix,
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.breaker = newBreaker(s.breakFor, &s.mute)
	base := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
	}
	s.probes = base.Clone()
	s.probes.DisableKeepAlives = true
	base.ForceAttemptHTTP2 = true
	s.transport = &transport{now: s.now, base: base}
	cloud.Upload.Client.Transport, cloud.Admin.Client.Transport = s.transport, s.transport
	cloud.Logger.SetLevel(logger.NONE)
	return s, nil
}

func orElse(value, otherwise time.Duration) time.Duration {
	if value > 0 {
		return value
	}
	return otherwise
}

// Close ends idle connections.
func (s *Store) Close() {
	if base, ok := s.transport.base.(*http.Transport); ok {
		base.CloseIdleConnections()
	}
}

// Name implements media.Store.
func (s *Store) Name() string { return media.StoreCloudinary }

// Ready implements media.Store.
func (s *Store) Ready() error {
	if s.breaker.State() == gobreaker.StateOpen {
		return &media.UnavailableError{Store: media.StoreCloudinary, RetryAfter: s.breakFor, Err: gobreaker.ErrOpenState}
	}
	return nil
}

// Put implements media.Store. Files over 20 MB go in pieces, as Cloudinary
// wants those over 100 MB to.
func (s *Store) Put(ctx context.Context, upload media.Upload) (media.Asset, error) {
	file, err := os.Open(upload.Path)
	if err != nil {
		return media.Asset{}, fmt.Errorf("send %s: %w", upload.PublicID, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	var result *uploader.UploadResult
	var sent atomic.Bool
	err = s.do(ctx, s.uploadTimeout, func(ctx context.Context) error {
		ctx, end := s.watch(ctx, &sent)
		defer end()
		var err error
		result, err = s.cloud.Upload.Upload(withResource(ctx, upload.Kind.ResourceType()), io.NewSectionReader(file, 0, upload.File.Size), uploader.UploadParams{
			PublicID: upload.PublicID, ResourceType: string(upload.Kind.ResourceType()),
			AllowedFormats: formats(upload.Kind), Overwrite: new(true),
			// Accounts with dynamic folders do not take the folder from the id.
			AssetFolder: upload.Kind.Folder(), UseAssetFolderAsPublicIDPrefix: new(false),
		})
		if errors.Is(context.Cause(ctx), errMute) {
			return context.Cause(ctx)
		}
		return s.checked(err, result)
	})
	if err != nil {
		if away, ok := errors.AsType[*media.UnavailableError](err); ok {
			away.Sent = sent.Load()
		}
		return media.Asset{}, fmt.Errorf("send %s: %w", upload.PublicID, err)
	}
	asset := media.Asset{
		Ref: upload.Ref(), Format: string(upload.File.Format), Bytes: int64(result.Bytes),
		Width: upload.File.Width, Height: upload.File.Height, Duration: upload.File.Duration,
		URL: result.SecureURL, CreatedAt: result.CreatedAt,
	}
	if asset.Bytes == 0 {
		asset.Bytes = upload.File.Size
	}
	switch upload.Kind {
	case media.Image:
		asset.Thumbnail = s.delivery(media.ResourceImage, media.ThumbnailOf.Within(asset.Width, asset.Height).String(), asset.PublicID, "")
	case media.Video:
		asset.Thumbnail = s.delivery(media.ResourceVideo, "c_fill,f_jpg,h_200,q_auto:good,so_50p,w_300", asset.PublicID, ".jpg")
	}
	return asset, nil
}

func (s *Store) checked(err error, result *uploader.UploadResult) error {
	if err == nil && (result == nil || result.PublicID == "") {
		return errors.New("the answer of Cloudinary has no public id")
	}
	return err
}

func formats(kind media.Kind) api.CldAPIArray {
	var names api.CldAPIArray
	for _, format := range kind.Formats() {
		names = append(names, string(format))
	}
	return names
}

// delivery is an address of the CDN. Ids are escaped: they can be another
// backend's.
func (s *Store) delivery(resource media.ResourceType, transformation, id, extension string) string {
	segments := strings.Split(id, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	version := ""
	if len(segments) > 1 {
		version = "v1/"
	}
	if transformation != "" {
		transformation += "/"
	}
	return "https://res.cloudinary.com/" + s.name + "/" + string(resource) + "/upload/" + transformation + version + strings.Join(segments, "/") + extension
}

// Delete implements media.Store: copies in the CDN are invalidated.
func (s *Store) Delete(ctx context.Context, ref media.Ref) error {
	if !plain(ref.PublicID) {
		return media.ErrNotFound
	}
	err := s.do(ctx, s.callTimeout, func(ctx context.Context) error {
		result, err := s.cloud.Upload.Destroy(ctx, uploader.DestroyParams{
			PublicID: ref.PublicID, ResourceType: string(ref.ResourceType), Invalidate: new(true),
		})
		if err == nil && result.Result == "not found" {
			return media.ErrNotFound
		}
		if err == nil && result.Result != "ok" {
			return fmt.Errorf("the answer of Cloudinary is %q", result.Result)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", ref.PublicID, err)
	}
	return nil
}

// Info implements media.Store.
func (s *Store) Info(ctx context.Context, ref media.Ref) (media.Asset, error) {
	if !plain(ref.PublicID) {
		return media.Asset{}, media.ErrNotFound
	}
	var result *admin.AssetResult
	err := s.do(ctx, s.callTimeout, func(ctx context.Context) error {
		var err error
		result, err = s.cloud.Admin.Asset(ctx, admin.AssetParams{PublicID: ref.PublicID, AssetType: api.AssetType(ref.ResourceType)})
		return err
	})
	if err != nil {
		return media.Asset{}, fmt.Errorf("inspect %s: %w", ref.PublicID, err)
	}
	return media.Asset{
		Ref: ref, Format: formatOf(result.Format, ref), Bytes: int64(result.Bytes), Width: result.Width, Height: result.Height,
		URL: result.SecureURL, CreatedAt: result.CreatedAt,
	}, nil
}

// plainID is what ids look like; the SDK puts them into paths as they are.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_./-]*$`)

func plain(id string) bool { return plainID.MatchString(id) && !strings.Contains(id, "..") }

// formatOf is the extension of a raw file, of which Cloudinary says nothing.
func formatOf(told string, ref media.Ref) string {
	if at := strings.LastIndexByte(ref.PublicID, '.'); told == "" && at >= 0 {
		return ref.PublicID[at+1:]
	}
	return told
}

// Optimize implements media.Store. Cloudinary draws when an address is opened.
func (s *Store) Optimize(_ context.Context, ref media.Ref, transforms ...media.Transform) ([]media.Variant, error) {
	if !plain(ref.PublicID) {
		return nil, media.ErrNotFound
	}
	variants := make([]media.Variant, len(transforms))
	for i, transform := range transforms {
		variants[i].URL = s.delivery(media.ResourceImage, transform.String(), ref.PublicID, "")
	}
	return variants, nil
}

// healthFresh is how long the answer to a ping counts: the admin api allows few
// calls in an hour.
const healthFresh = time.Minute

// Health implements media.Store.
func (s *Store) Health(ctx context.Context) media.Health {
	if err := s.Ready(); err != nil {
		return media.Health{Err: err, RateLimit: s.transport.rateLimit()}
	}
	s.health.Lock()
	defer s.health.Unlock()
	now := s.now()
	age := now.Sub(s.healthAt).Abs()
	if s.healthAt.IsZero() || age > healthFresh || s.healthErr != nil && age > s.breakFor || s.healthErr == nil && s.ill.Swap(false) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, s.healthErr = s.cloud.Admin.Ping(ctx)
		s.healthAt = now
	}
	return media.Health{Err: s.healthErr, RateLimit: s.transport.rateLimit()}
}

// raw decodes an answer of the SDK again, since its types lack fields.
func raw(response any, into any) error {
	text, err := json.Marshal(response)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
