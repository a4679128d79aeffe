package mongoqueue

import (
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// position is a place in a walk: the next page begins behind it. It holds what
// the walk is ordered by, so that it stays where it is when its job goes away.
type position struct {
	state job.State // whose walk it is; "" = the one over all jobs
	at    bson.DateTime
	id    bson.ObjectID
}

// everyState stands in a cursor for the walk over all jobs.
const everyState = "all"

// String is the cursor of a page: state.id, or state.date.id with the date in
// milliseconds where the walk has one.
func (p position) String() string {
	state := string(p.state)
	if p.state == "" {
		state = everyState
	}
	if _, dated := byDate[p.state]; dated {
		return fmt.Sprintf("%s.%d.%s", state, p.at, p.id.Hex())
	}
	return state + "." + p.id.Hex()
}

// readPosition reads a cursor; nil = the beginning.
func readPosition(cursor string) (*position, error) {
	if cursor == "" {
		return nil, nil
	}
	parts := strings.Split(cursor, ".")
	p := &position{state: job.State(parts[0])}
	if parts[0] == everyState {
		p.state = ""
	} else if !p.state.Known() {
		return nil, queue.ErrCursor
	}
	parts = parts[1:]
	if _, dated := byDate[p.state]; dated && len(parts) > 0 {
		at, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil {
			return nil, queue.ErrCursor
		}
		p.at, parts = bson.DateTime(at), parts[1:]
	}
	if len(parts) != 1 {
		return nil, queue.ErrCursor
	}
	id, err := bson.ObjectIDFromHex(parts[0])
	if err != nil {
		return nil, queue.ErrCursor
	}
	p.id = id
	return p, nil
}
