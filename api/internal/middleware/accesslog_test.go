package middleware_test

import (
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/pkg/logging"
)

// mostAllocatedByALine is what a line of the access log may allocate.
const mostAllocatedByALine = 2

// TestAllocationsOfALine compares a request with its line and one without.
func TestAllocationsOfALine(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	with, without := allocations(t, "info"), allocations(t, "error")
	t.Logf("%.0f allocations with a line, %.0f without", with, without)
	if with-without > mostAllocatedByALine {
		t.Errorf("%.0f allocations in a line, want %d at most", with-without, mostAllocatedByALine)
	}
}

// allocations counts those of a request that is logged at a level.
func allocations(t *testing.T, level string) float64 {
	t.Helper()
	log, err := logging.New(logging.Options{Out: io.Discard, Level: level, Service: "api", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(middleware.AccessLog(log.Zap, time.Now))
	engine.GET("/", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	ctx := logging.With(t.Context(), slog.String("request_id", "0123456789abcdef"), slog.String("user_id", "507f1f77bcf86cd799439011"))
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	reply := httptest.NewRecorder()
	least := math.Inf(1) // with the race detector a pool forgets at random
	for range 200 {
		least = min(least, testing.AllocsPerRun(1, func() { engine.ServeHTTP(reply, request) }))
	}
	return least
}
