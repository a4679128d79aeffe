package system

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/schema"
)

type databaseReply struct {
	ReadyState  int         `json:"readyState"` // 1 = connected, 0 = not
	Name        string      `json:"name"`
	Host        string      `json:"host"`
	Port        int         `json:"port"`
	Collections int         `json:"collections"`
	Pool        pool        `json:"pool"`
	Server      server      `json:"server"`
	Target      string      `json:"target"`   // the variable that chose the server
	Hosts       string      `json:"hosts"`    // all hosts that the address names
	Fallback    bool        `json:"fallback"` // Atlas did not answer at the start
	Timestamp   web.Instant `json:"timestamp"`
}

// pool is that of the connections of this process.
type pool struct {
	Open             int64   `json:"open"`
	InUse            int64   `json:"inUse"`
	Waiting          int64   `json:"waiting"` // operations that wait for a connection
	CheckOuts        int64   `json:"checkOuts"`
	CheckOutFailures int64   `json:"checkOutFailures"`
	WaitedMs         float64 `json:"waitedMs"` // all operations together, since the start
}

// server is what was found out when it was connected to.
type server struct {
	Engine        string `json:"engine"` // mongodb or ferretdb
	Version       string `json:"version"`
	Topology      string `json:"topology"` // standalone, replica set or sharded
	WireVersion   int    `json:"wireVersion"`
	ReplicaSet    bool   `json:"replicaSet"`
	SetName       string `json:"setName"` // of the replica set; "" = there is none, or a mongos hides it
	Transactions  bool   `json:"transactions"`
	ChangeStreams bool   `json:"changeStreams"`
	TTL           bool   `json:"ttl"`
}

func (h *Handler) databaseStats(c *gin.Context) error {
	database := h.parts.Database
	target, can, stats := database.Target(), database.Capabilities(), database.PoolStats()
	host, port := target.First()
	reply := databaseReply{
		Name: database.Name(), Host: host, Port: port, Collections: schema.NodeModels,
		Pool: pool{
			Open: stats.Open, InUse: stats.InUse, Waiting: stats.Waiting, CheckOuts: stats.CheckOuts,
			CheckOutFailures: stats.CheckOutFailures, WaitedMs: round(float64(stats.Waited.Microseconds()) / 1000),
		},
		Server: server{
			Engine: can.Engine, Version: can.Version, Topology: can.Topology, WireVersion: can.WireVersion,
			ReplicaSet: can.ReplicaSet, SetName: can.SetName, Transactions: can.Transactions, ChangeStreams: can.ChangeStreams, TTL: can.TTL,
		},
		Target: target.Name, Hosts: target.Host, Fallback: target.Fallback, Timestamp: h.now(),
	}
	if h.parts.Alive(c.Request.Context()) == nil {
		reply.ReadyState = 1
	}
	return web.JSON(c, http.StatusOK, reply)
}
