package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// The engines that Capabilities.Engine can name.
const (
	EngineMongoDB  = "mongodb"
	EngineFerretDB = "ferretdb"
)

// The topologies that Capabilities.Topology can name.
const (
	TopologyStandalone = "standalone"
	TopologyReplicaSet = "replica set"
	TopologySharded    = "sharded"
)

// Capabilities is what a deployment can do. Code chooses its way by these,
// and both ways give the same answer.
type Capabilities struct {
	Engine      string // EngineMongoDB or EngineFerretDB
	Version     string // the engine's own, such as "7.0.14"
	Topology    string // TopologyStandalone, TopologyReplicaSet or TopologySharded
	WireVersion int    // the highest that it speaks

	// SetName is the name of the replica set; "" = none, or sharded over some.
	SetName         string
	ReplicaSet      bool // is a replica set, or sharded over some
	Transactions    bool
	ChangeStreams   bool
	TTL             bool // indexes with expireAfterSeconds
	PartialIndexes  bool // indexes with partialFilterExpression
	UpdatePipelines bool // updates that are pipelines, with $$NOW
	Expr            bool // $expr in filters
	Lookup          bool // $lookup
	Facet           bool // $facet
	AggregationAvg  bool // $avg, $min and $max in $group
}

// ErrNotPrimary means that a server answers that takes no writes.
var ErrNotPrimary = errors.New("the server is not a primary, so it takes no writes: name the replica set, or its primary")

// greeting is the part of the reply to hello that we read.
type greeting struct {
	IsWritablePrimary bool   `bson:"isWritablePrimary"`
	SetName           string `bson:"setName"`
	Msg               string `bson:"msg"`
	MaxWireVersion    int    `bson:"maxWireVersion"`
}

// build is the part of the reply to buildInfo that we read. FerretDB 1 has
// ferretdbVersion, FerretDB 2 has ferretdb.version.
type build struct {
	Version         string `bson:"version"`
	FerretDBVersion string `bson:"ferretdbVersion"`
	FerretDB        struct {
		Version string `bson:"version"`
	} `bson:"ferretdb"`
}

// detect asks the primary what it is.
func detect(ctx context.Context, client *mongo.Client) (Capabilities, error) {
	admin := client.Database("admin")
	var hello greeting
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return Capabilities{}, fmt.Errorf("hello: %w", err)
	}
	if !hello.IsWritablePrimary {
		return Capabilities{}, ErrNotPrimary
	}
	var info build
	if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info); err != nil {
		return Capabilities{}, fmt.Errorf("buildInfo: %w", err)
	}
	return capabilitiesOf(hello, info), nil
}

func capabilitiesOf(hello greeting, info build) Capabilities {
	c := Capabilities{
		Engine: EngineMongoDB, Version: info.Version, Topology: TopologyStandalone, WireVersion: hello.MaxWireVersion,
		TTL: true, PartialIndexes: true, UpdatePipelines: true, Expr: true, Lookup: true, Facet: true, AggregationAvg: true,
	}
	switch {
	case hello.Msg == "isdbgrid": // how a mongos says that it is one
		c.Topology, c.ReplicaSet = TopologySharded, true
	case hello.SetName != "":
		c.Topology, c.ReplicaSet, c.SetName = TopologyReplicaSet, true, hello.SetName
	}
	c.Transactions, c.ChangeStreams = c.ReplicaSet, c.ReplicaSet

	switch {
	case info.FerretDB.Version != "":
		c.Engine, c.Version = EngineFerretDB, info.FerretDB.Version
		c.Transactions, c.ChangeStreams = false, false
	case info.FerretDBVersion != "":
		// FerretDB 1 answers all of these with an error. It claims to be a
		// replica set when told to, only to please clients.
		return Capabilities{
			Engine: EngineFerretDB, Version: strings.TrimPrefix(info.FerretDBVersion, "v"),
			Topology: TopologyStandalone, WireVersion: hello.MaxWireVersion,
		}
	}
	return c
}
