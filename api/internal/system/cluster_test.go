package system_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/api/internal/system"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/supervise"
)

// nobody is an empty fleet.
type nobody struct{ fleet.Registry }

func (nobody) Instances(context.Context) ([]fleet.Instance, error) { return nil, nil }

// TestClusterStatusOfAParent: a child shows what its parent says of all.
func TestClusterStatusOfAParent(t *testing.T) {
	t.Parallel()
	handler := system.NewHandler(system.Parts{Fleet: nobody{}, Now: time.Now, Parent: func() (supervise.Status, bool) {
		return supervise.Status{MasterPID: 7, WorkerCount: 2, Workers: []supervise.Worker{
			{ID: 1, PID: 8, State: supervise.Ready, Restarts: 3, Uptime: 1.5, Memory: 1 << 20, InFlight: 4},
			{ID: 2, State: supervise.Resting, IsDead: true, Restarts: 6},
		}}, true
	}})
	engine := gin.New()
	handler.Admin(engine.Group("/api/system"), func(*gin.Context) {})
	reply, request := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/system/cluster/status", nil)
	engine.ServeHTTP(reply, request)
	openapitest.CheckReply(t, request, reply.Result(), reply.Body.Bytes())
	var body struct {
		Cluster           any  `json:"cluster"`
		ClusteringEnabled bool `json:"clustering_enabled"`
	}
	if err := json.Unmarshal(reply.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"master_pid": 7.0, "worker_count": 2.0, "workers": []any{
		map[string]any{"id": "1", "pid": 8.0, "state": "ready", "isDead": false, "restarts": 3.0, "uptime": 1.5, "memory": 1048576.0, "inFlight": 4.0},
		map[string]any{"id": "2", "pid": 0.0, "state": "resting", "isDead": true, "restarts": 6.0, "uptime": 0.0, "inFlight": 0.0},
	}}
	if diff := cmp.Diff(want, body.Cluster); diff != "" || !body.ClusteringEnabled {
		t.Errorf("clustering enabled: %v, cluster (-want +got):\n%s", body.ClusteringEnabled, diff)
	}
}
