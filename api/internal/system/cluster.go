package system

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/fleet"
)

// cluster is what the Node backend told of its forked workers: here, the api
// processes of this machine, this one among them. One that is not listed yet is
// alone.
type cluster struct {
	MasterPID   int       `json:"master_pid"` // the process that started the workers, or this one where it is alone
	WorkerCount int       `json:"worker_count"`
	Workers     []sibling `json:"workers"`
}

type sibling struct {
	ID     string `json:"id"`
	PID    int    `json:"pid"`
	State  string `json:"state"`
	IsDead bool   `json:"isDead"`
}

// instance is one live process of the fleet.
type instance struct {
	ID        string         `json:"id"`
	Kind      fleet.Kind     `json:"kind"` // api or worker
	Host      string         `json:"host"`
	PID       int            `json:"pid"`
	Version   string         `json:"version"`
	State     string         `json:"state"` // online or draining
	StartedAt web.Instant    `json:"startedAt"`
	SeenAt    web.Instant    `json:"seenAt"` // last heartbeat
	Names     map[string]int `json:"names"`  // job names that it runs, with the limit of each
	InFlight  int            `json:"inFlight"`
	Self      bool           `json:"self"` // the process that answers
}

type clusterReply struct {
	Message           string      `json:"message"`
	Cluster           cluster     `json:"cluster"`
	ClusteringEnabled bool        `json:"clustering_enabled"`
	WorkerID          string      `json:"worker_id"`
	ProcessID         int         `json:"process_id"`
	Timestamp         web.Instant `json:"timestamp"`
	Instances         []instance  `json:"instances"` // all of the fleet, oldest first
}

func (h *Handler) clusterStatus(c *gin.Context) error {
	instances, state, err := h.fleet(c.Request.Context())
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, clusterReply{
		Message: "Cluster status retrieved", Cluster: state, ClusteringEnabled: state.WorkerCount > 1,
		WorkerID: h.parts.Instance, ProcessID: os.Getpid(), Timestamp: h.now(), Instances: instances,
	})
}

// fleet reads the collection of live processes, which has one small document for
// each.
func (h *Handler) fleet(ctx context.Context) ([]instance, cluster, error) {
	all, err := h.parts.Fleet.Instances(ctx)
	if err != nil {
		return nil, cluster{}, err
	}
	now, instances := h.parts.Now(), []instance{}
	state := cluster{MasterPID: os.Getpid(), Workers: []sibling{}}
	host, _ := os.Hostname() // without one nobody is a sibling
	for _, i := range all {
		if !i.ExpiresAt.After(now) {
			continue
		}
		seen := view(i, h.parts.Instance)
		instances = append(instances, seen)
		if i.Kind == fleet.API && i.Host == host {
			state.Workers = append(state.Workers, sibling{ID: i.ID, PID: i.PID, State: seen.State})
		}
	}
	slices.SortFunc(state.Workers, func(a, b sibling) int { return strings.Compare(a.ID, b.ID) })
	state.WorkerCount = len(state.Workers)
	if state.WorkerCount > 1 {
		state.MasterPID = os.Getppid()
	}
	return instances, state, nil
}

func view(i fleet.Instance, self string) instance {
	state := "online"
	if i.Draining {
		state = "draining"
	}
	names := i.Names
	if names == nil {
		names = map[string]int{}
	}
	return instance{
		ID: i.ID, Kind: i.Kind, Host: i.Host, PID: i.PID, Version: i.Version, State: state,
		StartedAt: web.Instant(i.StartedAt), SeenAt: web.Instant(i.SeenAt),
		Names: names, InFlight: i.InFlight, Self: i.ID == self,
	}
}
