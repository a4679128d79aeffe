package mongodb

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// unreachable says in one sentence why no server could be chosen that takes
// writes, and what to do; "" = err is about something else.
func unreachable(variable string, err error) string {
	selection, ok := errors.AsType[topology.ServerSelectionError](err)
	if !ok {
		return ""
	}
	members, answers := membersOf(selection.Desc.Servers)
	switch {
	case answers:
		return fmt.Sprintf("the replica set of %s has no primary (%s): start the members that are missing, or initiate a new set once with rs.initiate()", variable, members)
	default:
		return fmt.Sprintf("no server of %s answers (%s): start MongoDB, or set %s to where it is", variable, members, variable)
	}
}

// membersOf lists what is known of the servers, and whether one answers.
func membersOf(servers []description.Server) (list string, answers bool) {
	var members []string
	for _, s := range servers {
		state := "does not answer"
		switch s.Kind {
		case description.ServerKindRSSecondary:
			state, answers = "is a secondary", true
		case description.ServerKindRSArbiter:
			state, answers = "is an arbiter", true
		case description.ServerKindRSGhost:
			state, answers = "belongs to no set yet", true
		case description.ServerKindRSMember:
			state, answers = "is still starting", true
		case description.ServerKindStandalone:
			state, answers = "is no member of a set", true
		default:
			if s.LastError != nil {
				state += ": " + cause(s.LastError)
			}
		}
		members = append(members, s.Addr.String()+" "+state)
	}
	return strings.Join(members, ", "), answers
}

// cause is the innermost text of an error, such as "connection refused".
func cause(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
