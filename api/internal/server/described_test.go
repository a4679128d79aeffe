package server

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/health"
	"github.com/etrainer/backend/api/internal/jobs"
	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/api/internal/openapi"
	"github.com/etrainer/backend/api/internal/reports"
	"github.com/etrainer/backend/api/internal/system"
	"github.com/etrainer/backend/api/internal/uploads"
)

var parameter = regexp.MustCompile(`[:*]([A-Za-z]+)`)

// TestEveryRouteIsDescribed compares the routes with the OpenAPI document, in
// both directions.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	engine, err := routes(RouteOptions{Options: middleware.Options{Log: log, Now: time.Now}},
		health.NewHandler(health.Parts{}), &auth.Service{}, &jobs.Handler{}, system.NewHandler(system.Parts{}), &uploads.Handler{}, &reports.Handler{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, item := range document.Paths {
		for method := range item {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, route := range engine.Routes() {
		if route.Method == http.MethodHead {
			continue // of a GET that is described
		}
		name := route.Method + " " + parameter.ReplaceAllString(route.Path, "{$1}")
		if !described[name] {
			t.Errorf("%s has no entry in the OpenAPI document", name)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("the OpenAPI document describes %s, and there is no such route", name)
	}
}
