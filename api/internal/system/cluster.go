package system

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

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
	Memory   uint64  `json:"memory,omitempty"` // resident bytes
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
	Uptime    float64        `json:"uptime"` // seconds
	Memory    uint64         `json:"memory"` // resident bytes at the last heartbeat
	Names     map[string]int `json:"names"`  // job names that it runs, with the limit of each
	InFlight  int            `json:"inFlight"`
	ParentPID int            `json:"parent_pid"` // 0 = it was not started by a parent
	Self      bool           `json:"self"`       // the process that answers
}

// supervisor is a parent of the fleet, by what the youngest heartbeat of its
// children says.
type supervisor struct {
	Host     string      `json:"host"`
	PID      int         `json:"pid"`
	Kind     fleet.Kind  `json:"kind"`
	Version  string      `json:"version"`
	SeenAt   web.Instant `json:"seenAt"`
	Children []sibling   `json:"children"`
}

type clusterReply struct {
	Message           string      `json:"message"`
	Cluster           cluster     `json:"cluster"`
	ClusteringEnabled bool        `json:"clustering_enabled"`
	WorkerID          string      `json:"worker_id"`
	ProcessID         int         `json:"process_id"`
	Timestamp         web.Instant `json:"timestamp"`
	Instances         []instance  `json:"instances"` // all of the fleet, oldest first
	// Parents are the supervising processes of the fleet.
	Parents []supervisor `json:"parents"`
}

func (h *Handler) clusterStatus(c *gin.Context) error {
	living, err := h.living(c.Request.Context())
	if err != nil {
		return err
	}
	state, now := h.siblings(living), h.parts.Now()
	instances := make([]instance, len(living))
	for n, i := range living {
		instances[n] = view(i, h.parts.Instance, now)
	}
	return web.JSON(c, http.StatusOK, clusterReply{
		Message: "Cluster status retrieved", Cluster: state, ClusteringEnabled: h.supervised() || state.WorkerCount > 1,
		WorkerID: h.parts.Instance, ProcessID: os.Getpid(), Timestamp: web.Instant(now), Instances: instances, Parents: parents(living),
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

// living reads the collection of live processes, which has one small document for
// each. What this process knows of itself and its parent is newer than its own
// document.
func (h *Handler) living(ctx context.Context) ([]fleet.Instance, error) {
	all, err := h.parts.Fleet.Instances(ctx)
	if err != nil {
		return nil, err
	}
	now, living := h.parts.Now(), []fleet.Instance{}
	for _, i := range all {
		switch {
		case !i.ExpiresAt.After(now):
			continue
		case i.ID == h.parts.Instance:
			i = i.Measured(h.parts.Parent)
			i.SeenAt = now
		}
		living = append(living, i)
	}
	return living, nil
}

// siblings is the cluster of this process, of those that live.
func (h *Handler) siblings(living []fleet.Instance) cluster {
	if h.parts.Parent != nil {
		if told, ok := h.parts.Parent(); ok {
			return children(told)
		}
	}
	now, state := h.parts.Now(), cluster{MasterPID: os.Getpid(), Workers: []sibling{}}
	host, _ := os.Hostname() // without one nobody is a sibling
	for _, i := range living {
		if i.Kind == fleet.API && i.Host == host {
			seen := view(i, h.parts.Instance, now)
			state.Workers = append(state.Workers, sibling{
				ID: i.ID, PID: i.PID, State: seen.State, Uptime: seen.Uptime, Memory: i.Memory, InFlight: i.InFlight,
			})
		}
	}
	slices.SortFunc(state.Workers, func(a, b sibling) int { return strings.Compare(a.ID, b.ID) })
	state.WorkerCount = len(state.Workers)
	if state.WorkerCount > 1 {
		state.MasterPID = os.Getppid()
	}
	return state
}

// parents lists the parents that instances tell of, each once.
func parents(living []fleet.Instance) []supervisor {
	type process struct {
		host string
		pid  int
	}
	youngest := map[process]fleet.Instance{}
	for _, i := range living {
		if i.Parent == nil {
			continue
		}
		at := process{i.Host, i.Parent.PID}
		if known, ok := youngest[at]; !ok || i.SeenAt.After(known.SeenAt) {
			youngest[at] = i
		}
	}
	list := make([]supervisor, 0, len(youngest))
	for at, i := range youngest {
		parent := supervisor{Host: at.host, PID: at.pid, Kind: i.Kind, Version: i.Version, SeenAt: web.Instant(i.SeenAt), Children: make([]sibling, len(i.Parent.Children))}
		for n, child := range i.Parent.Children {
			parent.Children[n] = sibling{
				ID: strconv.Itoa(child.ID), PID: child.PID, State: child.State, IsDead: child.IsDead,
				Restarts: child.Restarts, Uptime: child.Uptime, Memory: child.Memory, InFlight: child.InFlight,
			}
		}
		list = append(list, parent)
	}
	slices.SortFunc(list, func(a, b supervisor) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.PID, b.PID)) })
	return list
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

func view(i fleet.Instance, self string, now time.Time) instance {
	state := "online"
	if i.Draining {
		state = "draining"
	}
	parent := 0
	if i.Parent != nil {
		parent = i.Parent.PID
	}
	names := i.Names
	if names == nil {
		names = map[string]int{}
	}
	return instance{
		ID: i.ID, Kind: i.Kind, Host: i.Host, PID: i.PID, Version: i.Version, State: state,
		StartedAt: web.Instant(i.StartedAt), SeenAt: web.Instant(i.SeenAt),
		Uptime: max(now.Sub(i.StartedAt).Seconds(), 0), Memory: i.Memory,
		Names: names, InFlight: i.InFlight, ParentPID: parent, Self: i.ID == self,
	}
}
