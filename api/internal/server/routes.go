package server

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/health"
	"github.com/etrainer/backend/api/internal/jobs"
	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/api/internal/openapi"
	"github.com/etrainer/backend/api/internal/reports"
	"github.com/etrainer/backend/api/internal/system"
	"github.com/etrainer/backend/api/internal/uploads"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

// RequestTimeout is how long a request to a JSON route may take. The mobile
// app waits for ten seconds.
const RequestTimeout = 9 * time.Second

// RouteOptions are what the routing needs to know.
type RouteOptions struct {
	middleware.Options
	// TrustedProxies are the networks whose X-Forwarded-For counts; nil = none.
	TrustedProxies []string
}

// Routes returns the handler of the whole api.
func Routes(o RouteOptions, probes *health.Handler, accounts *auth.Service, queue *jobs.Handler, state *system.Handler, files *uploads.Handler, weekly *reports.Handler) (http.Handler, error) {
	engine, err := routes(o, probes, accounts, queue, state, files, weekly)
	if err != nil {
		return nil, err
	}
	return tolerant(engine), nil
}

func routes(o RouteOptions, probes *health.Handler, accounts *auth.Service, queue *jobs.Handler, state *system.Handler, files *uploads.Handler, weekly *reports.Handler) (*gin.Engine, error) {
	engine, err := newEngine(o)
	if err != nil {
		return nil, err
	}
	probes.Routes(engine)

	api := engine.Group("/api", middleware.JSONRoutes(o.Options)...)
	accounts.Routes(api.Group("/auth", middleware.AuthLimit(o.Options)))
	accounts.AdminRoutes(api.Group("/system/users", accounts.Admin()))
	queue.Routes(api.Group("/system/jobs", accounts.Admin()))
	state.Public(api.Group("/system"))
	state.Admin(api.Group("/system", accounts.Admin()), middleware.StrictLimit(o.Options))
	files.Routes(api.Group("/uploads", accounts.LoggedIn()))
	weekly.Routes(api.Group("/system/reports", accounts.Admin()))
	openapi.Routes(api)

	// Uploads bound their bodies and times by themselves.
	files.UploadRoutes(engine.Group("/api/uploads", middleware.UploadLimit(o.Options), accounts.LoggedIn()))
	files.FileRoutes(engine)

	engine.NoRoute(web.Handle("", notFound))
	return engine, nil
}

// Starting returns the handler that answers while the database is awaited:
// probes as always, and 503 to all else.
func Starting(o RouteOptions, probes *health.Handler) (http.Handler, error) {
	engine, err := newEngine(o)
	if err != nil {
		return nil, err
	}
	probes.Routes(engine)
	engine.NoRoute(func(c *gin.Context) { web.Fail(c, web.ErrDatabaseAway) })
	return tolerant(engine), nil
}

func newEngine(o RouteOptions) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	// gin trusts every proxy unless told otherwise.
	if err := engine.SetTrustedProxies(o.TrustedProxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	// A redirect would make clients drop the body of a POST; see tolerant.
	engine.RedirectTrailingSlash = false
	// An escaped slash is part of a parameter, not the end of it.
	engine.UseEscapedPath, engine.UnescapePathValues = true, false
	engine.Use(middleware.Chain(o.Options)...)
	engine.Use(unescapeParams)
	return engine, nil
}

// unescapeParams does what gin's own setting does wrongly: it takes a plus for
// a space.
func unescapeParams(c *gin.Context) {
	for i, param := range c.Params {
		if value, err := url.PathUnescape(param.Value); err == nil {
			c.Params[i].Value = value
		}
	}
	c.Next()
}

// notFound answers for unknown paths and, as in the Node backend, for known
// ones with another method.
func notFound(c *gin.Context) error {
	return web.Title("Route not found", errs.Newf(errs.NotFound, "Cannot %s %s", c.Request.Method, c.Request.RequestURI))
}
