package fleet_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/supervise"
)

func TestMeasured(t *testing.T) {
	t.Parallel()
	alone := fleet.Instance{ID: "a", Parent: &fleet.Parent{PID: 1}}.Measured(nil)
	if alone.Memory < 1<<20 || alone.Parent != nil || alone.ID != "a" {
		t.Errorf("without a parent: %+v", alone)
	}
	silent := fleet.Instance{}.Measured(func() (supervise.Status, bool) { return supervise.Status{}, false })
	if silent.Parent != nil {
		t.Errorf("of a parent that has said nothing: %+v", silent.Parent)
	}
	child := fleet.Instance{}.Measured(func() (supervise.Status, bool) {
		return supervise.Status{MasterPID: 7, WorkerCount: 2, Workers: []supervise.Worker{
			{ID: 1, PID: 8, State: supervise.Ready, Restarts: 3, Uptime: 1.5, Memory: 9, InFlight: 4},
			{ID: 2, State: supervise.Resting, IsDead: true, Restarts: 6},
		}}, true
	})
	want := &fleet.Parent{PID: 7, Children: []fleet.Child{
		{ID: 1, PID: 8, State: "ready", Restarts: 3, Uptime: 1.5, Memory: 9, InFlight: 4},
		{ID: 2, State: "resting", IsDead: true, Restarts: 6},
	}}
	if diff := cmp.Diff(want, child.Parent); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
