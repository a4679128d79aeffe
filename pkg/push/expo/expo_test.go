package expo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/expo"
	"github.com/etrainer/backend/pkg/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func provider(t *testing.T) (*expo.Provider, *pushtest.ExpoServer) {
	t.Helper()
	s := pushtest.NewExpo(t)
	s.AccessToken = "secret"
	return expo.New(expo.Options{Env: expo.Env{BaseURL: s.URL() + "/", AccessToken: "secret"}, Transport: s.Transport()}), s
}

func token(n int) string { return fmt.Sprintf("ExponentPushToken[device-%d]", n) }

func batch(n int) []push.Message {
	out := make([]push.Message, n)
	for i := range out {
		out[i] = push.Message{Token: token(i), Title: "t", Body: "b"}
	}
	return out
}

func TestProvider(t *testing.T) {
	t.Parallel()
	pushtest.Run(t, func(t *testing.T) pushtest.Harness {
		p, s := provider(t)
		return pushtest.Harness{
			Provider: p, StandIn: s, Token: token, DeadCode: "DeviceNotRegistered",
			Malformed: []string{"ExponentPushToken[]", "ExponentPushToken[a", "xExponentPushToken[a]", "ExpoPushToken[a b]", "123e4567-e89b-12d3-a456-42661417400", "PushToken[a]"},
		}
	})
}

func TestFormsOfTokens(t *testing.T) {
	t.Parallel()
	p, _ := provider(t)
	for _, text := range []string{"ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]", "ExpoPushToken[a-b_c]", "123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"} {
		if !p.Valid(text) {
			t.Errorf("%q is refused", text)
		}
	}
}

// Only what is over 1,024 bytes is compressed.
func TestGzip(t *testing.T) {
	t.Parallel()
	p, s := provider(t)
	for _, n := range []int{1, 100} {
		if _, err := p.Send(t.Context(), batch(n)); err != nil {
			t.Fatal(err)
		}
	}
	if all, packed := s.Requests(); all != 2 || packed != 1 {
		t.Errorf("%d requests, %d of them with gzip; want 2 and 1", all, packed)
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]push.Reason{
		"DeviceNotRegistered": push.Unregistered, "MessageTooBig": push.TooLarge, "MessageRateExceeded": push.RateLimited,
		"MismatchSenderId": push.WrongSender, "InvalidCredentials": push.Credentials, "ExpoError": push.Unavailable, "SomethingNew": push.Rejected,
	} {
		p, s := provider(t)
		s.Device(token(0), code)
		results, err := p.Send(t.Context(), batch(2))
		if err != nil || results[0].Reason != want || !results[1].Accepted() {
			t.Errorf("%s: %+v, %v; want %s", code, results, err, want)
			continue
		}
		if strings.Contains(results[0].Detail, "device-0") {
			t.Errorf("%s: the detail holds the token: %s", code, results[0].Detail)
		}
	}
}

// A token of another project spoils a whole request at Expo; halving the
// batch leaves it alone with its error.
func TestAForeignTokenCostsNobodyElse(t *testing.T) {
	t.Parallel()
	p, s := provider(t)
	s.Device(token(7), "OtherProject")
	results := push.NewSender(p, push.SenderOptions{}).Send(t.Context(), batch(50))
	for i, r := range results {
		if r.Accepted() == (i == 7) {
			t.Errorf("result %d is %+v", i, r)
		}
	}
	if results[7].Reason != push.WrongSender || s.Total() != 49 || s.Most() != 1 {
		t.Errorf("the foreign token gives %+v; %d messages arrived, at most %d for one token", results[7], s.Total(), s.Most())
	}
}

func TestAWrongAccessToken(t *testing.T) {
	t.Parallel()
	p, s := provider(t)
	s.AccessToken = "another"
	_, err := p.Send(t.Context(), batch(1))
	if failure := push.FailureOf(err); err == nil || failure.Reason != push.Credentials {
		t.Errorf("Send: %v; want %s", err, push.Credentials)
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	p, s := provider(t)
	results, err := p.Send(t.Context(), batch(3))
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{results[0].ID, results[1].ID, results[2].ID, "never seen"}
	s.Pending(true)
	if got, err := p.Receipts(t.Context(), ids); err != nil || len(got) != 0 {
		t.Errorf("receipts that are not there yet: %v, %v", got, err)
	}
	s.Pending(false)
	s.Receipt(token(1), "DeviceNotRegistered")
	got, err := p.Receipts(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]push.Result{ids[0]: {}, ids[1]: {Reason: push.Unregistered, Detail: "DeviceNotRegistered: the token failed"}, ids[2]: {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
	s.Fail(pushtest.BadGateway)
	if _, err := p.Receipts(t.Context(), ids); push.FailureOf(err).Reason != push.Unavailable {
		t.Errorf("a page of HTML: %v", err)
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	if err := (expo.Env{BaseURL: "https://exp.host"}).Validate(); err != nil {
		t.Error(err)
	}
	for _, address := range []string{"", "exp.host", "ftp://exp.host", "http://"} {
		if err := (expo.Env{BaseURL: address}).Validate(); err == nil {
			t.Errorf("%q is taken for a web address", address)
		}
	}
}
