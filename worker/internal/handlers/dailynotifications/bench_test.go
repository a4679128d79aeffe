package dailynotifications_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/ledger"
	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/expo"
	"github.com/etrainer/backend/pkg/push/fcm"
	"github.com/etrainer/backend/pkg/push/pushtest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/handlers/dailynotifications"
	"github.com/etrainer/backend/worker/internal/notify"
)

// BenchmarkRun tells users by real HTTP requests to the stand-ins, which run in
// this process. The database is a map, because the embedded engine takes longer
// than everything else here.
func BenchmarkRun(b *testing.B) {
	for name, share := range map[string]float64{"fcm": 1, "expo": 0, "half": 0.5} {
		b.Run(name, func(b *testing.B) {
			f, e := pushtest.NewFCM(b), pushtest.NewExpo(b)
			courier := push.NewCourier(
				push.NewSender(fcm.New(fcm.Options{Account: fcm.Account{
					ProjectID: pushtest.ProjectID, ClientEmail: pushtest.ClientEmail, PrivateKey: config.Secret(pushtest.PrivateKey()), TokenURL: f.TokenURL(),
				}, BaseURL: f.URL(), Transport: f.Transport()}), push.SenderOptions{}),
				push.NewSender(expo.New(expo.Options{Env: expo.Env{BaseURL: e.URL()}, Transport: e.Transport()}), push.SenderOptions{}),
			)
			job := dailynotifications.Job{
				People: crowd{b.N, share}, Zone: time.UTC, Now: time.Now,
				Notifier: notify.New(ledger.NewMemory(nil), courier, nowhere{}),
			}
			b.ReportAllocs()
			b.ResetTimer()
			result, err := job.Run(b.Context(), runner.Job[catalog.DailyNotificationsPayload]{ID: bson.NewObjectID(), Tick: time.Now(), Attempt: 1})
			if err != nil || result.SentCount != b.N {
				b.Fatalf("%+v, %v", result, err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notifications/s")
		})
	}
}

// crowd is n users, of whom a share has an FCM token, and the others Expo's.
type crowd struct {
	n   int
	fcm float64
}

func (c crowd) Count(context.Context) (int64, error) { return int64(c.n), nil }
func (crowd) Foreign(context.Context) (int, error)   { return 0, nil }

func (c crowd) Page(_ context.Context, after string, limit int) ([]notify.Person, error) {
	var from int
	if after != "" {
		if _, err := fmt.Sscanf(after, "%d", &from); err != nil {
			return nil, err
		}
	}
	page := make([]notify.Person, 0, limit)
	for i := from; i < min(from+limit, c.n); i++ {
		person := notify.Person{ID: fmt.Sprint(i + 1)}
		if float64(i%100) < 100*c.fcm {
			person.FCMToken = fmt.Sprint("token-", i)
		} else {
			person.ExpoToken = fmt.Sprintf("ExponentPushToken[%d]", i)
		}
		page = append(page, person)
	}
	return page, nil
}

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) Notify(_ context.Context, n []notify.Notification) (int, error) { return len(n), nil }
func (nowhere) Forget(context.Context, []notify.Device) (int, error)           { return 0, nil }
func (nowhere) Keep(context.Context, []notify.Ticket) error                    { return nil }
