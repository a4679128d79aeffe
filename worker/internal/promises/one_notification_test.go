package promises

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
	"github.com/etrainer/backend/pkg/push/pushtest"
	"github.com/etrainer/backend/pkg/queue"
)

// providers are the stand-ins for Firebase and Expo that workers push to.
type providers struct {
	fcm  *pushtest.FCMServer
	expo *pushtest.ExpoServer
	cert string
}

func newProviders(t *testing.T) providers {
	p := providers{pushtest.NewFCM(t), pushtest.NewExpo(t), filepath.Join(t.TempDir(), "cert.pem")}
	p.fcm.Trust(t, p.cert)
	return p
}

// realWorker starts the worker itself. The day of the jobs is that of a zone
// where it is about noon, so that no test runs over its end.
func (s *stage) realWorker(p providers) *child {
	s.t.Helper()
	cmd := exec.Command(programtest.Path(s.t, "worker"))
	cmd.Env = append(os.Environ(), "MONGODB_URI="+s.uri(), "REDIS_URL=", "NODE_ENV=development", "WORKER_PORT=0", "WORKER_POLL_INTERVAL=200ms",
		fmt.Sprintf("JOBS_TIMEZONE=Etc/GMT%+d", time.Now().UTC().Hour()-12), // signs are the other way round in these
		"PUSH_DRIVER=live", "SSL_CERT_FILE="+p.cert, "EXPO_BASE_URL="+p.expo.URL(), "FCM_BASE_URL="+p.fcm.URL(),
		"FIREBASE_PROJECT_ID="+pushtest.ProjectID, "FIREBASE_CLIENT_EMAIL="+pushtest.ClientEmail,
		"FIREBASE_PRIVATE_KEY="+pushtest.PrivateKey(), "FIREBASE_TOKEN_URI="+p.fcm.TokenURL())
	return s.start(cmd, "running")
}

// A worker is killed with kill -9 while it tells users, a message of its on
// the way. The run of another one completes the work: every user has exactly
// one notification, and no phone got two push messages.
func TestAKilledWorkerLeavesOneNotificationForEachUser(t *testing.T) {
	t.Parallel()
	s, p := newStage(t), newProviders(t)
	mongotest.Migrate(t, s.db)
	const users = 3000 // six pages
	documents := make([]bson.D, users)
	for i := range documents {
		documents[i] = bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "email", Value: fmt.Sprint(i)}, {Key: "fcmToken", Value: fmt.Sprintf("token-%d", i)}}
		if i%2 == 1 {
			documents[i][2] = bson.E{Key: "expoPushToken", Value: fmt.Sprintf("ExponentPushToken[%d]", i)}
		}
	}
	if _, err := s.db.Collection("users").InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	inFlight := make(chan struct{}, 1)
	fault := pushtest.Slow
	fault.Called = func() { inFlight <- struct{}{} }

	first := s.realWorker(p)
	receipts, err := s.store.Enqueue(t.Context(), queue.Request{Name: catalog.DailyNotifications.Name})
	if err != nil {
		t.Fatal(err)
	}
	s.within("two pages are told", time.Millisecond, func() bool { return p.fcm.Total()+p.expo.Total() > 1000 })
	p.fcm.Fail(fault)
	select {
	case <-inFlight:
	case <-time.After(patience):
		t.Fatal("no message is on its way")
	}
	first.kill()
	before := p.fcm.Total() + p.expo.Total()
	if before >= users {
		t.Fatalf("all %d messages had left before the kill", before)
	}

	s.realWorker(p)
	id := receipts[0].Job.ID
	s.eventually("another worker completes the job", func() bool {
		d, err := s.store.Get(t.Context(), id)
		return err == nil && d.State(s.store.Now()) == job.Completed
	})
	runs := s.runs()[id]
	var result struct {
		SentCount, InAppCount, AlreadyDone, Uncertain, TotalUsers int
	}
	for _, run := range runs {
		if run.Outcome == job.Succeeded {
			if err := run.Result.Unmarshal(&result); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d messages before the kill; the second run: %+v", before, result)
	told := map[bson.ObjectID]int{}
	for _, n := range all[struct {
		User bson.ObjectID `bson:"user"`
	}](s, "notifications") {
		told[n.User]++
	}
	for _, d := range documents {
		if id := d[0].Value.(bson.ObjectID); told[id] != 1 {
			t.Errorf("user %s has %d notifications, want 1", id.Hex(), told[id])
		}
	}
	if most := max(p.fcm.Most(), p.expo.Most()); most != 1 {
		t.Errorf("a phone got %d push messages", most)
	}
	if result.TotalUsers != users || result.AlreadyDone+result.SentCount+result.Uncertain != users || result.Uncertain == 0 || result.Uncertain > 500 {
		t.Errorf("the second run: %+v; want what it sent, what was sent, and one page of which nobody knows to be all %d", result, users)
	}
	// What was on its way at the kill may have arrived after it.
	killed := p.fcm.Total() + p.expo.Total() - result.SentCount
	if killed < before || killed > result.AlreadyDone+result.Uncertain {
		t.Errorf("the killed run sent %d messages, %d of them before the kill, and the second run takes %d users for told or uncertain",
			killed, before, result.AlreadyDone+result.Uncertain)
	}
}
