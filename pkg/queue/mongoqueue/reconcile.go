package mongoqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/queue"
)

const (
	// freshPlace is how long a place may be taken without a locked job: the
	// lease that took it may still be on its way.
	freshPlace = time.Minute
	// maxHeld bounds the locked jobs of one name that Reconcile reads.
	maxHeld = 10_000
)

// Reconcile implements queue.Consumer. It gives each holder as many places as
// it has locked jobs of the name: a place whose job is gone comes free, and a
// run that began before there was a limit takes one. Two that reconcile at
// once, or a lease in between, make the write match nothing; the next call
// sees what they did.
func (s *Store) Reconcile(ctx context.Context, name string) error {
	raw, err := s.settings.FindOne(ctx, bson.D{{Key: "_id", Value: name}}, options.FindOne().SetProjection(bson.D{{Key: "slots", Value: 1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil // nobody has set a limit
	}
	if err != nil {
		return fmt.Errorf("read the places of %q: %w", name, err)
	}
	held, err := s.heldBy(ctx, name)
	if err != nil {
		return fmt.Errorf("count what is held of %q: %w", name, err)
	}
	_, taken, readable := readPlaces(raw)
	right := s.rightPlaces(taken, held)
	if readable && slices.Equal(taken, right) {
		return nil
	}
	still := bson.E{Key: "slots", Value: raw.Lookup("slots")}
	if raw.Lookup("slots").Type == 0 {
		still.Value = bson.D{{Key: "$exists", Value: false}}
	}
	_, err = s.settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: name}, still}, set(bson.D{{Key: "slots", Value: right}}))
	return wrap(err, "put right the places of "+name)
}

// heldBy counts the locked jobs of a name for each worker. Those of Node
// processes are not counted.
func (s *Store) heldBy(ctx context.Context, name string) (map[string]int, error) {
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "lockedAt", Value: anyDate}, {Key: "name", Value: name}},
		options.Find().SetProjection(bson.D{{Key: "leaseHolder", Value: 1}, {Key: "lastModifiedBy", Value: 1}}).SetLimit(maxHeld))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	held := map[string]int{}
	for cursor.Next(ctx) {
		holder, ok := cursor.Current.Lookup("leaseHolder").StringValueOK()
		if !ok {
			holder, _ = cursor.Current.Lookup("lastModifiedBy").StringValueOK()
		}
		if strings.HasPrefix(holder, queue.HolderPrefix) {
			held[holder]++
		}
	}
	return held, cursor.Err()
}

// rightPlaces keeps fresh places, as many old ones as their holder has jobs,
// and adds what is missing.
func (s *Store) rightPlaces(taken []place, held map[string]int) []place {
	now := s.Now()
	count := map[string]int{}
	right := []place{}
	for _, each := range taken {
		if now.Sub(each.Token.Timestamp()) < freshPlace {
			count[each.Holder]++
		}
	}
	for _, each := range taken {
		fresh := now.Sub(each.Token.Timestamp()) < freshPlace
		if !fresh && count[each.Holder] >= held[each.Holder] {
			continue
		}
		if !fresh {
			count[each.Holder]++
		}
		right = append(right, each)
	}
	for _, holder := range sortedKeys(held) {
		for ; count[holder] < held[holder]; count[holder]++ {
			// Its run will not give it back, so it must not look fresh when that ends.
			right = append(right, place{Token: bson.NewObjectIDFromTimestamp(now.Add(-freshPlace)), Holder: holder})
		}
	}
	return right
}

func sortedKeys(m map[string]int) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// owed are places that could not be freed yet.
type owed struct {
	mu     sync.Mutex
	byName map[string][]place
}

// maxOwed bounds them; Reconcile frees what is beyond.
const maxOwed = 10_000

// with adds what is owed to what is to be freed now.
func (o *owed) with(byName map[string][]place) map[string][]place {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.byName) == 0 {
		return byName
	}
	all := o.byName
	o.byName = nil
	for name, free := range byName {
		all[name] = append(all[name], free...)
	}
	return all
}

func (o *owed) keep(byName map[string][]place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byName == nil {
		o.byName = map[string][]place{}
	}
	total := 0
	for name, free := range byName {
		if total += len(free); total > maxOwed {
			return
		}
		o.byName[name] = append(o.byName[name], free...)
	}
}
