package mongoqueue

import (
	"context"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
)

// A name that may run only so often over all workers has that many places in
// its settings document. Taking places is one update that fails when there
// are not enough, so the limit holds however many workers ask at once. Places
// of a dead worker are freed by Rescue; Reconcile puts right what leaked.

// place is one taken place, in the array "slots" of agendaSettings.
type place struct {
	Token  bson.ObjectID `bson:"token"`
	Holder string        `bson:"holder"`
}

// places are those taken for one batch.
type places struct {
	byName map[string][]place // only names that have a limit
	holder string
}

func newPlaces(holder string) *places { return &places{byName: map[string][]place{}, holder: holder} }

// assign gives each lease of a limited name one of its places.
func (t *places) assign(leases []*queue.Lease) {
	for _, lease := range leases {
		if free := t.byName[lease.Job.Name]; len(free) > 0 {
			lease.Slot = free[0].Token
			t.byName[lease.Job.Name] = free[1:]
		}
	}
}

// unused returns the places that no lease got.
func (t *places) unused() map[string][]place { return t.byName }

// takePlaces takes places for fresh candidates of limited names. Candidates
// that get none are given back, and their name takes no part in the further
// search: other names do. It reports whether that happened.
func (s *Store) takePlaces(ctx context.Context, search *search, fresh []candidate) (closed bool, err error) {
	wanted := map[string]int{}
	for _, c := range fresh {
		if search.request.Names[c.Name].Limit > 0 {
			wanted[c.Name]++
		}
	}
	for name, n := range wanted {
		limit := search.request.Names[name].Limit
		got, err := s.takeOf(ctx, name, search.request.Holder, min(n, limit), limit)
		if err != nil {
			return closed, err
		}
		search.places.byName[name] = append(search.places.byName[name], got...)
		if len(got) < n {
			search.giveBack(name, n-len(got))
			search.atLimit = append(search.atLimit, name)
			delete(search.open, name)
			closed = true
		}
	}
	return closed, nil
}

// takeOf takes up to n places of a name. Settings that do not allow it cost
// their own name alone.
func (s *Store) takeOf(ctx context.Context, name, holder string, n, limit int) ([]place, error) {
	for ; n > 0; n = min(n-1, s.freePlaces(ctx, name, limit)) {
		taken := make([]place, n)
		for i := range taken {
			taken[i] = place{Token: bson.NewObjectIDFromTimestamp(s.Now()), Holder: holder}
		}
		// "slots.k is absent" means that at most k places are taken.
		result, err := s.settings.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: name}, {Key: "slots." + strconv.Itoa(limit-n), Value: bson.D{{Key: "$exists", Value: false}}}},
			bson.D{{Key: "$push", Value: bson.D{{Key: "slots", Value: bson.D{{Key: "$each", Value: taken}}}}}})
		switch {
		case err != nil && !mongodb.IsUnavailable(err) && !isForAll(err):
			s.options.Problems.Report(ctx, queue.Problem{
				Collection: SettingsCollection, ID: name, Name: name,
				What: "the places of this name's limit cannot be used: " + errs.ShortenTo(err.Error(), maxReason),
				Fix:  "remove the field slots of the document; workers make it anew",
			})
			return nil, nil
		case err != nil:
			return nil, wrap(err, "take a place of "+strconv.Quote(name))
		case result.MatchedCount == 1:
			return taken, nil
		}
	}
	return nil, nil
}

// freePlaces tells how many places there were a moment ago, so that the next
// try asks for what can be had.
func (s *Store) freePlaces(ctx context.Context, name string, limit int) int {
	var settings struct{ Slots []place }
	if err := s.settings.FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Decode(&settings); err != nil {
		return 0
	}
	return limit - len(settings.Slots)
}

// freeSlots frees places. What cannot be freed now is freed with the next
// call: a place must not be lost because the database was away for a moment.
func (s *Store) freeSlots(ctx context.Context, byName map[string][]place) {
	byName = s.owed.with(byName)
	var models []mongo.WriteModel
	for name, free := range byName {
		if len(free) > 0 {
			models = append(models, mongo.NewUpdateOneModel().
				SetFilter(bson.D{{Key: "_id", Value: name}}).
				SetUpdate(bson.D{{Key: "$pullAll", Value: bson.D{{Key: "slots", Value: free}}}}))
		}
	}
	if len(models) == 0 {
		return
	}
	if _, err := s.settings.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil && refusedStatements(err) == nil {
		s.owed.keep(byName)
		s.warn(ctx, "places of a limit not freed; trying again with the next outcomes", err)
	}
}

// slotsOf collects the places of leases whose runs ended.
func slotsOf(endings []queue.Ending) map[string][]place {
	byName := map[string][]place{}
	for _, ending := range endings {
		if lease := ending.Lease; !lease.Slot.IsZero() {
			byName[lease.Job.Name] = append(byName[lease.Job.Name], place{Token: lease.Slot, Holder: lease.Holder})
		}
	}
	return byName
}

// freeSlotsOf frees every place of a holder but those of the leases to keep.
// Settings that cannot be read have no places to free.
func (s *Store) freeSlotsOf(ctx context.Context, holder string, keep []*queue.Lease) error {
	cursor, err := s.settings.Find(ctx, bson.D{{Key: "slots.holder", Value: holder}})
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(ctx) }()
	dead := map[string][]place{}
	for cursor.Next(ctx) {
		name, taken, ok := readPlaces(cursor.Current)
		if !ok {
			continue
		}
		for _, each := range taken {
			used := slices.ContainsFunc(keep, func(lease *queue.Lease) bool { return lease.Slot == each.Token })
			if each.Holder == holder && !used {
				dead[name] = append(dead[name], each)
			}
		}
	}
	s.freeSlots(ctx, dead)
	return cursor.Err()
}

// readPlaces reads the places of a settings document; false = it has none that
// can be read.
func readPlaces(raw bson.Raw) (name string, taken []place, ok bool) {
	name, ok = raw.Lookup("_id").StringValueOK()
	if !ok {
		return "", nil, false
	}
	value := raw.Lookup("slots")
	if value.Type == 0 {
		return name, nil, true
	}
	return name, taken, value.Unmarshal(&taken) == nil
}
