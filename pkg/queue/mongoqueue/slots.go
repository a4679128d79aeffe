package mongoqueue

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/queue"
)

// A name that may run only so often over all workers has that many places in
// its settings document. Taking places is one update that fails when there
// are not enough, so the limit holds however many workers ask at once. Places
// of a dead worker are freed by Rescue.

// slot is one taken place, in the array "slots" of agendaSettings.
type slot struct {
	Token  bson.ObjectID `bson:"token"`
	Holder string        `bson:"holder"`
}

// slots are the places taken for one batch.
type slots struct {
	byName map[string][]slot // only names that have a limit
	holder string
}

// takeSlots takes, for each limited name, as many places as the batch has
// candidates, or as many as there are.
func (s *Store) takeSlots(ctx context.Context, request queue.LeaseRequest, candidates []candidate) (*slots, error) {
	taken := &slots{byName: map[string][]slot{}, holder: request.Holder}
	wanted := map[string]int{}
	for _, c := range candidates {
		if request.Names[c.document.Name].Limit > 0 {
			wanted[c.document.Name]++
		}
	}
	for name, n := range wanted {
		places, err := s.takePlaces(ctx, name, request.Holder, min(n, request.Names[name].Limit), request.Names[name].Limit)
		if err != nil {
			return nil, fmt.Errorf("take a place of %q: %w", name, err)
		}
		taken.byName[name] = places
	}
	return taken, nil
}

func (s *Store) takePlaces(ctx context.Context, name, holder string, n, limit int) ([]slot, error) {
	for ; n > 0; n = min(n-1, s.freePlaces(ctx, name, limit)) {
		places := make([]slot, n)
		for i := range places {
			places[i] = slot{Token: bson.NewObjectID(), Holder: holder}
		}
		// "slots.k is absent" means that at most k places are taken.
		result, err := s.settings.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: name}, {Key: "slots." + strconv.Itoa(limit-n), Value: bson.D{{Key: "$exists", Value: false}}}},
			bson.D{{Key: "$push", Value: bson.D{{Key: "slots", Value: bson.D{{Key: "$each", Value: places}}}}}})
		if err != nil {
			return nil, err
		}
		if result.MatchedCount == 1 {
			return places, nil
		}
	}
	return nil, nil
}

// freePlaces tells how many places there were a moment ago, so that the next
// try asks for what can be had.
func (s *Store) freePlaces(ctx context.Context, name string, limit int) int {
	var settings struct{ Slots []slot }
	if err := s.settings.FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Decode(&settings); err != nil {
		return 0
	}
	return limit - len(settings.Slots)
}

// limit drops the candidates for which there is no place.
func (t *slots) limit(candidates []candidate) []candidate {
	kept := candidates[:0:0]
	used := map[string]int{}
	for _, c := range candidates {
		places, limited := t.byName[c.document.Name]
		if limited && used[c.document.Name] == len(places) {
			continue
		}
		used[c.document.Name]++
		kept = append(kept, c)
	}
	return kept
}

// assign gives each lease of a limited name one of its places.
func (t *slots) assign(leases []*queue.Lease) {
	for _, lease := range leases {
		if places := t.byName[lease.Job.Name]; len(places) > 0 {
			lease.Slot = places[0].Token
			t.byName[lease.Job.Name] = places[1:]
		}
	}
}

// unused returns the places that no lease got.
func (t *slots) unused() map[string][]slot { return t.byName }

func (s *Store) freeSlots(ctx context.Context, byName map[string][]slot) error {
	var models []mongo.WriteModel
	for name, places := range byName {
		if len(places) > 0 {
			models = append(models, mongo.NewUpdateOneModel().
				SetFilter(bson.D{{Key: "_id", Value: name}}).
				SetUpdate(bson.D{{Key: "$pullAll", Value: bson.D{{Key: "slots", Value: places}}}}))
		}
	}
	if len(models) == 0 {
		return nil
	}
	_, err := s.settings.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	return err
}

// slotsOf collects the places of leases whose runs ended.
func slotsOf(leases []*queue.Lease) map[string][]slot {
	byName := map[string][]slot{}
	for _, lease := range leases {
		if !lease.Slot.IsZero() {
			byName[lease.Job.Name] = append(byName[lease.Job.Name], slot{Token: lease.Slot, Holder: lease.Holder})
		}
	}
	return byName
}

// freeSlotsOf frees every place of a holder but those of the leases to keep.
func (s *Store) freeSlotsOf(ctx context.Context, holder string, keep []*queue.Lease) error {
	cursor, err := s.settings.Find(ctx, bson.D{{Key: "slots.holder", Value: holder}})
	if err != nil {
		return err
	}
	var found []struct {
		Name  string `bson:"_id"`
		Slots []slot
	}
	if err := cursor.All(ctx, &found); err != nil {
		return err
	}
	dead := map[string][]slot{}
	for _, settings := range found {
		for _, place := range settings.Slots {
			used := slices.ContainsFunc(keep, func(lease *queue.Lease) bool { return lease.Slot == place.Token })
			if place.Holder == holder && !used {
				dead[settings.Name] = append(dead[settings.Name], place)
			}
		}
	}
	return s.freeSlots(ctx, dead)
}

// Reconcile implements queue.Consumer.
func (s *Store) Reconcile(context.Context, string) error { return nil }
