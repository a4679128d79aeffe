package fleet_test

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/fleet"
)

// The fleet tells which jobs can be run at present, and who may be dead.
func Example() {
	now := time.Date(2024, 1, 17, 9, 0, 0, 0, time.UTC)
	instances := []fleet.Instance{ // from a Registry
		{ID: "worker@a:1:c0ffee", Kind: fleet.Worker, ExpiresAt: now.Add(4 * time.Second), InFlight: 2, Names: map[string]int{"send mail": 5}},
		{ID: "worker@b:1:decade", Kind: fleet.Worker, ExpiresAt: now.Add(-time.Second), InFlight: 1, Names: map[string]int{"send mail": 5}},
	}
	for _, instance := range instances {
		switch {
		case !instance.ExpiresAt.After(now):
			fmt.Println(instance.ID, "has not been seen in time")
		case instance.Busy():
			fmt.Println(instance.ID, "holds", instance.InFlight, "leases, and can run", instance.Names)
		}
	}
	// Output:
	// worker@a:1:c0ffee holds 2 leases, and can run map[send mail:5]
	// worker@b:1:decade has not been seen in time
}
