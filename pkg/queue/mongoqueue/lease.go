package mongoqueue

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// maxLooks bounds the searches of one Lease. The first one finds everything
// where no name has more due jobs than it may hold; each of the others leaves
// out the names that are full.
const maxLooks = 20

// Lease implements queue.Consumer: find, claim, read back, start.
func (s *Store) Lease(ctx context.Context, request queue.LeaseRequest) (queue.Batch, error) {
	search := newSearch(request, s.Now())
	if err := s.gather(ctx, search); err != nil {
		return queue.Batch{}, err
	}
	batch := queue.Batch{NextDue: search.nextDue, More: search.more, AtLimit: search.atLimit}
	if len(search.candidates) == 0 {
		return batch, nil
	}
	leases, err := s.claim(ctx, search)
	if err != nil {
		return queue.Batch{}, fmt.Errorf("claim %d jobs: %w", len(search.candidates), err)
	}
	if len(leases) < len(search.candidates) {
		batch.More = true // another worker was faster
	}
	search.places.assign(leases)
	s.freeSlots(ctx, search.places.unused())
	batch.Leases, err = s.start(ctx, search, leases)
	return batch, err
}

// search is one LeaseRequest, resolved against the clock, and what was found
// for it so far.
type search struct {
	request queue.LeaseRequest
	now     time.Time

	open       map[string]bool // names that may hold more
	taken      map[string]int
	atOnce     map[string]int // of taken, those for which a slot is idle
	slots      int            // idle slots that no candidate has yet
	bytes      int            // of request.Bytes
	fragile    bool           // a job that may kill its worker was taken
	passedOver []any          // ids of those that are left for later
	candidates []candidate
	places     *places
	announced  bool // request.BeforeClaim was called

	nextDue time.Time
	more    bool
	atLimit []string

	brokeOff []brokenOff // leases that repeat a run whose lock expired
}

// candidate is a due job as the search saw it: enough to claim it, and what
// the claim will overwrite.
type candidate struct {
	*job.Document
	ahead bool // no slot is idle for it yet
}

func newSearch(request queue.LeaseRequest, now time.Time) *search {
	s := &search{
		request: request, now: now, slots: request.Total, bytes: request.Bytes,
		open: map[string]bool{}, taken: map[string]int{}, atOnce: map[string]int{}, places: newPlaces(request.Holder),
	}
	for name, want := range request.Names {
		if want.Free > 0 && (request.Total > 0 || want.Ahead > 0) {
			s.open[name] = true
		}
	}
	return s
}

// names are those that may hold more.
func (s *search) names() []string { return slices.Sorted(maps.Keys(s.open)) }

// aheadOf counts the candidates of a name for which no slot is idle.
func (s *search) aheadOf(name string) int { return s.taken[name] - s.atOnce[name] }

// room is how many more jobs all open names together may hold.
func (s *search) room() int {
	room, ahead := 0, 0
	for name := range s.open {
		want := s.request.Names[name]
		room += want.Free - s.taken[name]
		ahead += want.Ahead - s.aheadOf(name)
	}
	return min(room, s.slots+ahead)
}

// take makes a document a candidate, and reports whether there was room.
func (s *search) take(document *job.Document, size int) bool {
	want := s.request.Names[document.Name]
	if s.taken[document.Name] >= want.Free || s.request.Bytes > 0 && s.bytes < size && len(s.candidates) > 0 {
		return false
	}
	ahead := s.slots <= 0 || s.atOnce[document.Name] >= want.Free-want.Ahead
	if ahead && (s.aheadOf(document.Name) >= want.Ahead || mayEndWorkers(document.Resume)) {
		return false // it starts at once or not at all, so that its next end is told from the end of others
	}
	if !ahead {
		s.slots--
		s.atOnce[document.Name]++
	}
	s.taken[document.Name]++
	s.bytes -= size
	s.candidates = append(s.candidates, candidate{Document: document, ahead: ahead})
	return true
}

// mayEndWorkers reports whether a worker died while it had the job.
func mayEndWorkers(r *job.Resume) bool { return r != nil && (r.Ahead || r.Lost > 0) }

// passesOver reports whether a job is left for later because it may kill its
// worker, and another such job runs there.
func (s *search) passesOver(document *job.Document) bool {
	r := document.Resume
	if s.request.Expired || r == nil || r.Lost < queue.FragileAfter || !r.At.Equal(document.NextRunAt) {
		return false
	}
	if s.request.Fragile == queue.AnyFragile || s.request.Fragile == queue.OneFragile && !s.fragile {
		s.fragile = true
		return false
	}
	s.passedOver = append(s.passedOver, document.ID)
	return true
}

// giveBack takes back what take did for the last n candidates of a name.
func (s *search) giveBack(name string, n int) {
	for i := len(s.candidates) - 1; i >= 0 && n > 0; i-- {
		if c := s.candidates[i]; c.Name == name {
			if !c.ahead {
				s.slots++
				s.atOnce[name]--
			}
			s.taken[name]--
			s.candidates = slices.Delete(s.candidates, i, i+1)
			n--
		}
	}
}

func (s *search) lifetime(name string) time.Duration {
	if lifetime := s.request.Names[name].Lifetime; lifetime > 0 {
		return lifetime
	}
	return queue.DefaultLockLifetime
}

// lockCondition is Agenda's condition for taking a job, in the half that this
// search is about. until is how far nextRunAt may reach.
func (s *search) lockCondition(names []string, until time.Time) bson.D {
	if !s.request.Expired {
		return bson.D{
			{Key: "name", Value: in(names)},
			unlocked,
			{Key: "nextRunAt", Value: upTo(until)},
			enabled,
		}
	}
	byLifetime := map[time.Duration][]string{}
	for _, name := range names {
		byLifetime[s.lifetime(name)] = append(byLifetime[s.lifetime(name)], name)
	}
	var branches []bson.D
	for lifetime, names := range byLifetime {
		branches = append(branches, bson.D{
			{Key: "name", Value: in(names)}, {Key: "lockedAt", Value: upTo(s.now.Add(-lifetime))}, enabled,
		})
	}
	if len(branches) == 1 {
		return branches[0]
	}
	return bson.D{{Key: "$or", Value: branches}}
}

// gather looks for candidates until every idle slot has one, or nothing else
// is due. A name that has more due jobs than it may hold is left out of the
// next look, so that its backlog hides nobody else's jobs.
func (s *Store) gather(ctx context.Context, search *search) error {
	for range maxLooks {
		room := search.room()
		if len(search.open) == 0 || room <= 0 {
			return nil
		}
		before := len(search.candidates)
		full, err := s.look(ctx, search, room+1)
		if err != nil {
			return fmt.Errorf("find due jobs: %w", err)
		}
		if err := search.announce(ctx); err != nil {
			return err
		}
		closed, err := s.takePlaces(ctx, search, search.candidates[before:])
		if err != nil {
			return err
		}
		if !full && !closed {
			return nil
		}
	}
	return nil
}

// announce tells the holder that something is about to be taken for it.
func (s *search) announce(ctx context.Context) error {
	if s.request.BeforeClaim == nil || s.announced || len(s.candidates) == 0 {
		return nil
	}
	s.announced = true
	return s.request.BeforeClaim(ctx)
}

// look reads one page of what is due, in the order of Agenda: by time, then by
// priority. It looks a little into the future as well, and so learns when to
// look again. full reports that the page may hide further jobs.
func (s *Store) look(ctx context.Context, search *search, limit int) (full bool, err error) {
	filter := search.lockCondition(search.names(), search.now.Add(search.request.Horizon))
	filter = append(filter, s.notThese(search)...)
	cursor, err := s.jobs.Find(ctx, filter,
		inOneAnswer(limit).SetSort(keys("nextRunAt", 1, "priority", -1)).SetProjection(candidateFields))
	if err != nil {
		return false, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	read, closes := 0, map[string]bool{}
	for cursor.Next(ctx) {
		read++
		document := &job.Document{}
		if problem := readCandidate(cursor.Current, document); problem != "" {
			s.leaveOut(ctx, cursor.Current, problem)
			continue
		}
		if !search.request.Expired && document.NextRunAt.After(search.now) {
			if search.nextDue.IsZero() || document.NextRunAt.Before(search.nextDue) {
				search.nextDue = document.NextRunAt
			}
			break // everything behind it is due later
		}
		if search.passesOver(document) {
			continue
		}
		if !search.take(document, s.sizes.of(document.Name)) {
			search.more = true
			closes[document.Name] = true
		}
	}
	for name := range closes {
		delete(search.open, name)
	}
	return read == limit, cursor.Err()
}

// notThese leaves out of a search what it found before, and what cannot be
// used.
func (s *Store) notThese(search *search) bson.D {
	var ids []any
	for _, c := range search.candidates {
		if search.open[c.Name] {
			ids = append(ids, c.ID)
		}
	}
	ids = append(ids, search.passedOver...)
	left, only := s.leftOut.now(search.now)
	ids = append(ids, left...)
	condition := only
	if len(ids) > 0 {
		condition = append(condition, bson.E{Key: "$nin", Value: ids})
	}
	if len(condition) == 0 {
		return nil
	}
	return bson.D{{Key: "_id", Value: condition}}
}

var candidateFields = bson.D{
	{Key: "name", Value: 1},
	{Key: "nextRunAt", Value: 1},
	{Key: "lockedAt", Value: 1},
	{Key: "lastRunAt", Value: 1},
	{Key: "lastFinishedAt", Value: 1},
	{Key: "failedAt", Value: 1},
	{Key: "repeatInterval", Value: 1},
	{Key: "repeatAt", Value: 1},
	{Key: "lastModifiedBy", Value: 1},
	{Key: "cancelledAt", Value: 1},
	{Key: "leaseHolder", Value: 1},
	{Key: "leaseDue", Value: 1},
	{Key: "resume", Value: 1},
}

// readCandidate decodes a document that the search found. It returns what
// keeps the document from being used; "" = nothing.
func readCandidate(raw bson.Raw, document *job.Document) string {
	if err := document.UnmarshalBSON(raw); err != nil {
		return "its name is not a text"
	}
	if document.ID.IsZero() {
		return "its _id is not an ObjectId"
	}
	return ""
}

// warn logs what does not fail a call.
func (s *Store) warn(ctx context.Context, what string, err error) {
	s.options.Log.WarnContext(ctx, "a part of a call failed; the rest went on", slog.String("what", what), slog.Any("error", err))
}
