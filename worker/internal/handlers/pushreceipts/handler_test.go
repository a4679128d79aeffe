package pushreceipts_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/push/pushtest"
	"github.com/etrainer/backend/worker/internal/handlers/pushreceipts"
	"github.com/etrainer/backend/worker/internal/notify"
	"github.com/etrainer/backend/worker/internal/notify/notifytest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func run(b *notifytest.Bench) (pushreceipts.Result, error) {
	j := pushreceipts.Job{Reader: b.Reader, Store: b.Store, Devices: b.Store, Now: b.Now}
	return j.Run(b.Context(), notifytest.Job[catalog.PushReceiptsPayload](b, 1))
}

// tell pushes to n users by Expo, and returns them.
func tell(b *notifytest.Bench, n int) []bson.ObjectID {
	b.Helper()
	documents := make([]bson.D, n)
	for i := range documents {
		documents[i] = bson.D{{Key: "expoPushToken", Value: notifytest.ExpoToken(i)}}
	}
	ids := b.Insert("users", documents...)
	batch := notify.Batch{Holder: "test", At: b.Now()}
	for i, id := range ids {
		batch.Recipients = append(batch.Recipients, notify.Recipient{
			Person: notify.Person{ID: id.Hex(), ExpoToken: notifytest.ExpoToken(i)}, Key: fmt.Sprint("key", i), Day: b.Now(),
		})
	}
	if tally, err := b.Notifier.Tell(b.Context(), batch); err != nil || tally.SentCount != n {
		b.Fatalf("tell: %+v, %v", tally, err)
	}
	return ids
}

func want(b *notifytest.Bench, want pushreceipts.Result) {
	b.Helper()
	got, err := run(b)
	if err != nil {
		b.Fatal(err)
	}
	if want.Failures == nil {
		want.Failures = map[string]int{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("the result (-want +got):\n%s", diff)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T09:00:00+07:00")
	ids := tell(b, 350) // more than one request takes
	b.Expo.Receipt(notifytest.ExpoToken(3), "DeviceNotRegistered")
	b.Expo.Receipt(notifytest.ExpoToken(4), "MessageRateExceeded")

	b.At("2025-08-04T09:14:00+07:00")
	want(b, pushreceipts.Result{}) // not ripe yet
	b.At("2025-08-04T09:15:00+07:00")
	b.Expo.Fail(pushtest.BadGateway)
	if got, err := run(b); err == nil {
		t.Errorf("a page of HTML gives %+v", got)
	}
	b.Expo.Pending(true)
	want(b, pushreceipts.Result{Pending: 350})
	b.Expo.Pending(false)
	want(b, pushreceipts.Result{
		Read: 350, Delivered: 348, DeadTokensRemoved: 1, Failures: map[string]int{"unregistered": 1, "rate_limited": 1},
	})
	want(b, pushreceipts.Result{}) // each is read once
	var user struct {
		Token *string `bson:"expoPushToken"`
	}
	if err := b.DB.Collection("users").FindOne(t.Context(), bson.D{{Key: "_id", Value: ids[3]}}).Decode(&user); err != nil || user.Token != nil {
		t.Errorf("the dead token is still %v, %v", user.Token, err)
	}
}

// A user who has a new token by now keeps it.
func TestANewTokenStays(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T09:00:00+07:00")
	ids := tell(b, 1)
	b.Expo.Receipt(notifytest.ExpoToken(0), "DeviceNotRegistered")
	if _, err := b.DB.Collection("users").UpdateByID(t.Context(), ids[0], bson.D{{Key: "$set", Value: bson.D{{Key: "expoPushToken", Value: "ExponentPushToken[new]"}}}}); err != nil {
		t.Fatal(err)
	}
	b.At("2025-08-04T10:00:00+07:00")
	want(b, pushreceipts.Result{Read: 1, Failures: map[string]int{"unregistered": 1}})
}

// Receipts that never come are given up after a day.
func TestMissing(t *testing.T) {
	t.Parallel()
	b := notifytest.New(t, "2025-08-04T09:00:00+07:00")
	tell(b, 2)
	b.Expo.Pending(true)
	b.At("2025-08-05T08:59:00+07:00")
	want(b, pushreceipts.Result{Pending: 2})
	b.At("2025-08-05T09:00:00+07:00")
	want(b, pushreceipts.Result{Missing: 2})
	want(b, pushreceipts.Result{})
}
