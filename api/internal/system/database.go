package system

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// collections is the number of models of the Node backend, which its document
// gives as the number of collections.
const collections = 13

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
	Transactions  bool   `json:"transactions"`
	ChangeStreams bool   `json:"changeStreams"`
	TTL           bool   `json:"ttl"`
}

func (h *Handler) databaseStats(c *gin.Context) error {
	database := h.parts.Database
	target, can, stats := database.Target(), database.Capabilities(), database.PoolStats()
	host, port := firstHost(target.Host)
	reply := databaseReply{
		Name: database.Name(), Host: host, Port: port, Collections: collections,
		Pool: pool{
			Open: stats.Open, InUse: stats.InUse, Waiting: stats.Waiting, CheckOuts: stats.CheckOuts,
			CheckOutFailures: stats.CheckOutFailures, WaitedMs: round(float64(stats.Waited.Microseconds()) / 1000),
		},
		Server: server{
			Engine: can.Engine, Version: can.Version, Topology: can.Topology, WireVersion: can.WireVersion,
			ReplicaSet: can.ReplicaSet, Transactions: can.Transactions, ChangeStreams: can.ChangeStreams, TTL: can.TTL,
		},
		Target: target.Name, Hosts: target.Host, Fallback: target.Fallback, Timestamp: h.now(),
	}
	if h.connected(c.Request.Context()) {
		reply.ReadyState = 1
	}
	return web.JSON(c, http.StatusOK, reply)
}

// firstHost splits the first of the hosts of an address. Without a port it is
// MongoDB's own.
func firstHost(hosts string) (string, int) {
	first, _, _ := strings.Cut(hosts, ",")
	host, text, err := net.SplitHostPort(first)
	if err != nil {
		return first, 27017
	}
	port, _ := strconv.Atoi(text) // 0 where it is none
	return host, port
}
