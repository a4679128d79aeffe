package system

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/supervise"
)

// cluster is what the Node backend told of its forked workers: here, what the
// parent of this process says of its children. Without a parent it is the api
// processes of this machine, this one among them; one that is not listed yet is
// alone.
type cluster struct {
	MasterPID   int       `json:"master_pid"` // the process that started the workers, or this one where it is alone
	WorkerCount int       `json:"worker_count"`
	Workers     []sibling `json:"workers"`
}

type sibling struct {
	ID       string  `json:"id"`  // the number of its place, or the name of the instance without a parent
	PID      int     `json:"pid"` // 0 while there is no process
	State    string  `json:"state"`
	IsDead   bool    `json:"isDead"`
	Restarts int     `json:"restarts"`         // ends that nobody asked for
	Uptime   float64 `json:"uptime"`           // seconds
	Memory   uint64  `json:"memory,omitempty"` // resident bytes; a parent knows
	InFlight int     `json:"inFlight"`         // requests at its last report
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
		Message: "Cluster status retrieved", Cluster: state, ClusteringEnabled: h.supervised() || state.WorkerCount > 1,
		WorkerID: h.parts.Instance, ProcessID: os.Getpid(), Timestamp: h.now(), Instances: instances,
	})
}

// supervised reports whether this process has a parent.
func (h *Handler) supervised() bool {
	if h.parts.Parent == nil {
		return false
	}
	_, told := h.parts.Parent()
	return told
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
			state.Workers = append(state.Workers, sibling{
				ID: i.ID, PID: i.PID, State: seen.State, Uptime: now.Sub(i.StartedAt).Seconds(), InFlight: i.InFlight,
			})
		}
	}
	if h.parts.Parent != nil {
		if told, ok := h.parts.Parent(); ok {
			return instances, children(told), nil
		}
	}
	slices.SortFunc(state.Workers, func(a, b sibling) int { return strings.Compare(a.ID, b.ID) })
	state.WorkerCount = len(state.Workers)
	if state.WorkerCount > 1 {
		state.MasterPID = os.Getppid()
	}
	return instances, state, nil
}

// children shows what a parent says.
func children(told supervise.Status) cluster {
	state := cluster{MasterPID: told.MasterPID, WorkerCount: told.WorkerCount, Workers: make([]sibling, len(told.Workers))}
	for i, each := range told.Workers {
		state.Workers[i] = sibling{
			ID: strconv.Itoa(each.ID), PID: each.PID, State: string(each.State), IsDead: each.IsDead,
			Restarts: each.Restarts, Uptime: each.Uptime, Memory: each.Memory, InFlight: each.InFlight,
		}
	}
	return state
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
