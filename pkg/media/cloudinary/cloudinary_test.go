package cloudinary_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cloud *mediatest.Cloud, change func(*cloudinary.Options)) *cloudinary.Store {
	t.Helper()
	o := cloudinary.Options{
		CloudName: mediatest.CloudName, APIKey: mediatest.APIKey, APISecret: mediatest.APISecret, Address: cloud.URL,
		StallAfter: time.Second, // a busy machine is not a mute Cloudinary
	}
	if change != nil {
		change(&o)
	}
	store, err := cloudinary.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func TestConformance(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	mediatest.Run(t, open(t, cloud, nil))
}

// TestRealAccount is the same with a real account.
func TestRealAccount(t *testing.T) {
	t.Parallel()
	name := os.Getenv("CLOUDINARY_TEST_CLOUD_NAME")
	if name == "" {
		t.Skip("CLOUDINARY_TEST_CLOUD_NAME, CLOUDINARY_TEST_API_KEY and CLOUDINARY_TEST_API_SECRET name no account")
	}
	store, err := cloudinary.New(cloudinary.Options{
		CloudName: name, APIKey: os.Getenv("CLOUDINARY_TEST_API_KEY"), APISecret: os.Getenv("CLOUDINARY_TEST_API_SECRET"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	mediatest.Run(t, store)
}

// TestWrongSecret is no outage, and opens nothing.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	store := open(t, cloud, func(o *cloudinary.Options) { o.APISecret = "another" })
	for range 5 {
		_, err := store.Put(t.Context(), mediatest.Received(t, media.Image, mediafile.PNG))
		if _, away := errors.AsType[*media.UnavailableError](err); err == nil || away || store.Ready() != nil {
			t.Errorf("Put = %v, Ready = %v", err, store.Ready())
		}
	}
	if cloud.Assets() != 0 || cloud.Requests() != 5 {
		t.Errorf("%d files, %d requests; a wrong signature must not be tried again", cloud.Assets(), cloud.Requests())
	}
}

// TestIllness: every illness is an UnavailableError, the breaker opens, refuses
// without a request, and closes by itself.
func TestIllness(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]mediatest.Mood{
		"failing": mediatest.Failing, "limited": mediatest.Limited, "cutting": mediatest.Cutting, "mute": mediatest.Mute,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := mediatest.NewCloud(t)
			store := open(t, cloud, func(o *cloudinary.Options) {
				o.UploadTimeout, o.BreakFor = 200*time.Millisecond, 4*time.Second
			})
			cloud.Be(mood)
			for tries := 0; store.Ready() == nil && tries < 5; tries++ {
				_, err := store.Put(t.Context(), mediatest.Received(t, media.Image, mediafile.PNG))
				away, ok := errors.AsType[*media.UnavailableError](err)
				if !ok || away.RetryAfter == 0 {
					t.Fatalf("Put = %v, want UnavailableError", err)
				}
			}
			seen := cloud.Requests()
			_, err := store.Put(t.Context(), mediatest.Received(t, media.Image, mediafile.PNG))
			if away, ok := errors.AsType[*media.UnavailableError](err); !ok || away.Sent || cloud.Requests() != seen {
				t.Errorf("open: Put = %v, after %d requests more", err, cloud.Requests()-seen)
			}
			cloud.Be(mediatest.Well)
			deadline := time.Now().Add(30 * time.Second)
			for store.Ready() != nil && time.Now().Before(deadline) {
				<-time.After(20 * time.Millisecond)
			}
			if _, err := store.Put(t.Context(), mediatest.Received(t, media.Image, mediafile.PNG)); err != nil {
				t.Errorf("after the illness: %v", err)
			}
		})
	}
}

// TestRetries: what fails once is tried again, and three times at the most.
func TestRetries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mood     mediatest.Mood
		requests int
	}{
		"well": {mediatest.Well, 1}, "once": {mediatest.FailingOnce, 2}, "always": {mediatest.Failing, 3},
		"a limit": {mediatest.Limited, 1}, "refused": {mediatest.Refusing, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := mediatest.NewCloud(t)
			store := open(t, cloud, func(o *cloudinary.Options) { o.StallAfter = time.Hour })
			cloud.Be(test.mood)
			_, err := store.Put(t.Context(), mediatest.Received(t, media.Image, mediafile.PNG))
			well, opens := test.mood == mediatest.Well || test.mood == mediatest.FailingOnce, test.mood == mediatest.Failing
			if (err == nil) != well || cloud.Requests() != test.requests || (store.Ready() != nil) != opens {
				t.Errorf("Put = %v, after %d requests, want %d; Ready = %v", err, cloud.Requests(), test.requests, store.Ready())
			}
		})
	}
}

// TestSlow: an upload that stands still for long is left alone when Cloudinary
// answers another question, and one answer to two is enough.
func TestSlow(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]mediatest.Mood{"slow": mediatest.Slow, "a lost packet": mediatest.Losing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := mediatest.NewCloud(t)
			store := open(t, cloud, func(o *cloudinary.Options) { o.StallAfter = 100 * time.Millisecond })
			cloud.Be(mood)
			if _, err := store.Put(t.Context(), mediatest.Received(t, media.Image, mediafile.PNG)); err != nil || cloud.Assets() != 1 {
				t.Errorf("Put = %v, %d files", err, cloud.Assets())
			}
			if cloud.Requests() < 2 {
				t.Error("nobody asked what the matter is")
			}
		})
	}
}

// TestRefusal: what Cloudinary has against a file is told, and formats are its
// business, too.
func TestRefusal(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	store := open(t, cloud, nil)
	wrong := mediatest.Received(t, media.Image, mediafile.PNG)
	if err := os.WriteFile(wrong.Path, mediatest.Sample(mediafile.PDF), 0o600); err != nil {
		t.Fatal(err)
	}
	cloud.Be(mediatest.Refusing)
	for reason, upload := range map[string]media.Upload{
		mediatest.Refusal: mediatest.Received(t, media.Image, mediafile.PNG), "Image file format pdf not allowed": wrong,
	} {
		_, err := store.Put(t.Context(), upload)
		if refused, ok := errors.AsType[*media.RefusedError](err); !ok || refused.Reason != reason {
			t.Errorf("Put = %v, want %q", err, reason)
		}
	}
}

// TestHealthAfterAFailure: a good ping does not count any more when a call
// failed after it, also when the breaker would let one through again.
func TestHealthAfterAFailure(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	store := open(t, cloud, func(o *cloudinary.Options) { o.BreakFor = time.Nanosecond })
	if err := store.Health(t.Context()).Err; err != nil {
		t.Fatalf("while all is well: %v", err)
	}
	cloud.Be(mediatest.Failing)
	if _, err := store.Put(t.Context(), mediatest.Received(t, media.Image, mediafile.PNG)); err == nil {
		t.Fatal("an upload to a Cloudinary that fails worked")
	}
	if err := store.Ready(); err != nil {
		t.Fatalf("the breaker is still open: %v", err)
	}
	if err := store.Health(t.Context()).Err; err == nil {
		t.Error("it is said to be well after a failed upload")
	}
	cloud.Be(mediatest.Well)
	if err := store.Health(t.Context()).Err; err != nil {
		t.Errorf("when it is well again: %v", err)
	}
}
