package system

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/media"
)

// store is a store of files that knows what is used.
type store struct {
	name  string
	usage media.Usage
	err   error
}

func (s store) Name() string                               { return s.name }
func (s store) Usage(context.Context) (media.Usage, error) { return s.usage, s.err }

func TestCloudinaryUsage(t *testing.T) {
	t.Parallel()
	const path = "/api/system/cloudinary/usage"
	used, requests := int64(1024), int64(7)
	account := media.Usage{Storage: media.Measure{Used: &used}, Requests: &requests}
	for name, test := range map[string]struct {
		storage Storage
		status  int
		body    string
	}{
		"local disk": {nil, 200, `{"message":"Cloudinary is not configured","configured":false,"usage":{"storage":{"used":null,"limit":null,"percentage":null},` +
			`"bandwidth":{"used":null,"limit":null,"percentage":null},"requests":null,"transformations":null},"timestamp":"2026-01-02T03:04:05.000Z"}`},
		"an account": {store{name: media.StoreCloudinary, usage: account}, 200, `{"message":"Cloudinary usage retrieved","configured":true,"usage":{"storage":{"used":1024,"limit":null,"percentage":null},` +
			`"bandwidth":{"used":null,"limit":null,"percentage":null},"requests":7,"transformations":null},"timestamp":"2026-01-02T03:04:05.000Z"}`},
		"away": {
			store{name: media.StoreCloudinary, err: &media.UnavailableError{Store: media.StoreCloudinary, Err: errors.New("secret detail")}},
			503,
			`{"error":"Service unavailable","message":"Cloudinary does not answer now; try again later"}`,
		},
		"another failure": {
			store{name: media.StoreCloudinary, err: errors.New("secret detail")},
			500,
			`{"error":"Failed to get Cloudinary usage","message":"Something went wrong"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := NewHandler(Parts{Storage: test.storage, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
			engine := gin.New()
			engine.GET(path, web.Handle("Failed to get Cloudinary usage", h.cloudinaryUsage))
			reply := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodGet, path, nil)
			engine.ServeHTTP(reply, request)
			if reply.Code != test.status || reply.Body.String() != test.body {
				t.Errorf("%d %s\nwant %d %s", reply.Code, reply.Body, test.status, test.body)
			}
			openapitest.CheckReply(t, request, reply.Result(), reply.Body.Bytes())
		})
	}
}
