package plantest

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Query is what one statement of a command asks a collection for.
type Query struct {
	Command    string // find, update, …
	Collection string
	Filter     bson.Raw
	Sort       bson.Raw
	Limit      int64         // 0 = none
	Hint       bson.RawValue // zero = none
	Many       bool          // it changes or removes everything that it finds
	Estimated  bool          // it is a count of all documents, which the server knows
	Distinct   string        // the field whose values are asked for
}

// silent are the commands that read no documents by a filter.
var silent = []string{
	"insert", "getMore", "killCursors", "create", "createIndexes", "dropIndexes", "drop", "dropDatabase", "listIndexes", "listCollections",
	"listDatabases", "collMod", "explain", "ping", "hello", "isMaster", "ismaster", "buildInfo", "serverStatus", "hostInfo", "dbStats", "collStats",
	"endSessions", "abortTransaction", "commitTransaction", "saslStart", "saslContinue", "getParameter", "connectionStatus", "replSetGetStatus",
	"shardCollection", "enableSharding", "balancerStatus", "createRole", "updateRole", "createUser", "updateUser", "usersInfo", "rolesInfo",
	"grantRolesToUser", "listShards", "currentOp",
}

// Queries are what a command asks for, one for each of its statements. A command
// that is not known is an error: nobody could tell what it reads.
func Queries(command bson.Raw) ([]Query, error) {
	first, err := command.IndexErr(0)
	if err != nil {
		return nil, fmt.Errorf("read a command: %w", err)
	}
	name := first.Key()
	collection, _ := first.Value().StringValueOK()
	q := Query{Command: name, Collection: collection, Hint: command.Lookup("hint")}
	switch name {
	case "find":
		q.Filter, q.Sort, q.Limit = document(command, "filter"), document(command, "sort"), integer(command.Lookup("limit"))
		return []Query{q}, nil
	case "count":
		q.Filter, q.Limit = document(command, "query"), integer(command.Lookup("limit"))
		q.Estimated = isEmpty(q.Filter)
		return []Query{q}, nil
	case "distinct":
		q.Filter = document(command, "query")
		q.Distinct, _ = command.Lookup("key").StringValueOK()
		return []Query{q}, nil
	case "findAndModify", "findandmodify":
		q.Filter, q.Sort, q.Limit = document(command, "query"), document(command, "sort"), 1
		return []Query{q}, nil
	case "update":
		return statements(q, command, "updates")
	case "delete":
		return statements(q, command, "deletes")
	case "aggregate":
		return pipeline(q, command)
	}
	if slices.Contains(silent, name) {
		return nil, nil
	}
	return nil, fmt.Errorf("the command %s is not known to package plantest", name)
}

// statements are those of an update or a delete.
func statements(of Query, command bson.Raw, key string) ([]Query, error) {
	array, _ := command.Lookup(key).ArrayOK()
	values, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("read the %s of a command: %w", key, err)
	}
	queries := make([]Query, 0, len(values))
	for _, value := range values {
		statement, ok := value.DocumentOK()
		if !ok {
			return nil, fmt.Errorf("read the %s of a command: %s is no statement", key, value)
		}
		q := of
		q.Filter, q.Hint = document(statement, "q"), statement.Lookup("hint")
		multi, _ := statement.Lookup("multi").BooleanOK()
		q.Many = multi || key == "deletes" && integer(statement.Lookup("limit")) == 0
		if !q.Many {
			q.Limit = 1
		}
		queries = append(queries, q)
	}
	return queries, nil
}

// pipeline is the part of an aggregation that chooses its documents: the stages
// up to the first that is no $match, $sort, $limit or $project.
func pipeline(q Query, command bson.Raw) ([]Query, error) {
	array, _ := command.Lookup("pipeline").ArrayOK()
	values, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("read a pipeline: %w", err)
	}
	var matches bson.A
	for i, value := range values {
		stage, ok := value.DocumentOK()
		element, err := stage.IndexErr(0)
		if !ok || err != nil {
			return nil, fmt.Errorf("read a pipeline: %s is no stage", value)
		}
		chooses := true
		switch element.Key() {
		case "$collStats", "$indexStats", "$currentOp", "$listSessions":
			return nil, nil
		case "$match":
			chooses = q.Limit == 0 && q.Sort == nil
			if chooses {
				matches = append(matches, element.Value())
			}
		case "$sort":
			q.Sort, _ = element.Value().DocumentOK()
		case "$limit":
			q.Limit = integer(element.Value())
			chooses = false
		case "$project":
		case "$lookup", "$unionWith", "$graphLookup", "$facet", "$merge", "$out":
			return nil, fmt.Errorf("the stage %s is not known to package plantest", element.Key())
		default:
			chooses = false
		}
		if !chooses || i == len(values)-1 {
			break
		}
	}
	switch len(matches) {
	case 0:
	case 1:
		q.Filter, _ = matches[0].(bson.RawValue).DocumentOK()
	default:
		q.Filter, err = bson.Marshal(bson.D{{Key: "$and", Value: matches}})
	}
	return []Query{q}, err
}

func document(in bson.Raw, key string) bson.Raw {
	d, _ := in.Lookup(key).DocumentOK()
	return d
}

func isEmpty(d bson.Raw) bool {
	elements, err := d.Elements()
	return len(d) == 0 || err == nil && len(elements) == 0
}

func integer(v bson.RawValue) int64 {
	n, _ := v.AsInt64OK()
	return n
}
