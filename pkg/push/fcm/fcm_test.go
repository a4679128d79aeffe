package fcm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/fcm"
	"github.com/etrainer/backend/pkg/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func account(s *pushtest.FCMServer) fcm.Account {
	return fcm.Account{
		ProjectID: pushtest.ProjectID, ClientEmail: pushtest.ClientEmail, PrivateKeyID: pushtest.KeyID,
		PrivateKey: config.Secret(pushtest.PrivateKey()), TokenURL: s.TokenURL(),
	}
}

func provider(t *testing.T, change ...func(*fcm.Options)) (*fcm.Provider, *pushtest.FCMServer) {
	t.Helper()
	s := pushtest.NewFCM(t)
	options := fcm.Options{Account: account(s), BaseURL: s.URL(), Transport: s.Transport()}
	for _, c := range change {
		c(&options)
	}
	return fcm.New(options), s
}

func token(n int) string { return fmt.Sprintf("fcm-device-%d:APA91b", n) }

func TestProvider(t *testing.T) {
	t.Parallel()
	pushtest.Run(t, func(t *testing.T) pushtest.Harness {
		p, s := provider(t)
		return pushtest.Harness{
			Provider: p, StandIn: s, Token: token, DeadCode: "UNREGISTERED",
			Malformed: []string{"tökén", strings.Repeat("a", 5000), "null\x00"},
		}
	})
}

func send(t *testing.T, p *fcm.Provider, token string) (push.Result, *push.Failure) {
	t.Helper()
	results, err := p.Send(t.Context(), []push.Message{{Token: token, Title: "t", Body: "b"}})
	if err != nil {
		return push.Result{}, push.FailureOf(err)
	}
	return results[0], nil
}

// Every message goes over HTTP/2, and one OAuth2 token serves them all.
func TestOneTokenAndHTTP2(t *testing.T) {
	t.Parallel()
	p, s := provider(t)
	for i := range 5 {
		if _, failure := send(t, p, token(i)); failure != nil {
			t.Fatal(failure)
		}
	}
	if s.Grants() != 1 || s.HTTP1() != 0 {
		t.Errorf("%d tokens were fetched and %d requests came over HTTP/1; want 1 and 0", s.Grants(), s.HTTP1())
	}
}

// A token that Google has revoked is replaced, and the message still arrives
// once.
func TestARevokedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	p, s := provider(t)
	if _, failure := send(t, p, token(1)); failure != nil {
		t.Fatal(failure)
	}
	s.Revoke()
	if result, failure := send(t, p, token(2)); failure != nil || !result.Accepted() {
		t.Errorf("after the revocation: %+v, %v", result, failure)
	}
	if s.Grants() != 2 || s.Count(token(2)) != 1 {
		t.Errorf("%d tokens, %d messages; want 2 and 1", s.Grants(), s.Count(token(2)))
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]push.Reason{
		"UNREGISTERED":           push.Unregistered,
		"INVALID_ARGUMENT":       push.InvalidToken,
		"SENDER_ID_MISMATCH":     push.WrongSender,
		"THIRD_PARTY_AUTH_ERROR": push.Credentials,
		"QUOTA_EXCEEDED":         push.RateLimited,
		"INTERNAL":               push.Unavailable,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			p, s := provider(t)
			s.Device(token(1), code)
			result, failure := send(t, p, token(1))
			got := result.Reason
			if failure != nil {
				got = failure.Reason
			}
			if got != want {
				t.Errorf("%s is %q, want %q", code, got, want)
			}
			if s.Grants() != 1 {
				t.Errorf("%d tokens were fetched, want 1", s.Grants())
			}
		})
	}
}

// A wrong account is a matter of credentials; a token server that is away is
// not.
func TestTokenServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fcm.Options)
		fault  *pushtest.Fault
		want   push.Reason
	}{
		"unknown account": {change: func(o *fcm.Options) { o.ClientEmail = "nobody@example.com" }, want: push.Credentials},
		"unknown project": {change: func(o *fcm.Options) { o.ProjectID = "other" }, want: push.Credentials},
		"503":             {fault: &pushtest.Overloaded, want: push.Unavailable},
		"429":             {fault: &pushtest.TooManyRequests, want: push.Unavailable},
		"HTML":            {fault: &pushtest.BadGateway, want: push.Unavailable},
		"200 with HTML":   {fault: &pushtest.LoginPage, want: push.Unavailable},
		"cut":             {fault: &pushtest.Cut, want: push.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s := provider(t, func(o *fcm.Options) {
				if c.change != nil {
					c.change(o)
				}
			})
			if c.fault != nil {
				s.TokenFaults.Fail(*c.fault)
			}
			result, failure := send(t, p, token(1))
			if failure == nil || failure.Reason != c.want {
				t.Errorf("%+v, %v; want %s", result, failure, c.want)
			}
			if failure != nil && strings.Contains(failure.Error(), "PRIVATE KEY") {
				t.Errorf("the error holds the key: %v", failure)
			}
		})
	}
}

func env() fcm.Env {
	return fcm.Env{
		ProjectID: pushtest.ProjectID, ClientEmail: pushtest.ClientEmail, PrivateKeyID: pushtest.KeyID,
		PrivateKey: config.Secret(strings.ReplaceAll(pushtest.PrivateKey(), "\n", `\n`)),
	}
}

// The key of the environment has \n in place of line ends.
func TestAccountOfVariables(t *testing.T) {
	t.Parallel()
	got, err := env().Account()
	if err != nil {
		t.Fatal(err)
	}
	if got.PrivateKey.Reveal() != pushtest.PrivateKey() || got.TokenURL != "https://oauth2.googleapis.com/token" {
		t.Errorf("the account is %+v, with a key of %d bytes", got, len(got.PrivateKey.Reveal()))
	}
}

func TestTheFileComesFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.json")
	text := fmt.Sprintf(`{"type":"service_account","project_id":"of-the-file","private_key_id":"k","private_key":%q,"client_email":"file@example.com","token_uri":"https://tokens.example"}`, pushtest.PrivateKey())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e := env()
	e.ServiceAccountPath = path
	got, err := e.Account()
	if err != nil || got.ProjectID != "of-the-file" || got.ClientEmail != "file@example.com" || got.TokenURL != "https://tokens.example" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMistakesInTheAccount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"user.json": `{"type":"authorized_user"}`, "html": "<html>", "part.json": `{"type":"service_account","client_email":"a@b"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		change func(*fcm.Env)
		want   string
	}{
		"no project":      {func(e *fcm.Env) { e.ProjectID = "" }, "FIREBASE_PROJECT_ID is not set"},
		"no e-mail":       {func(e *fcm.Env) { e.ClientEmail = "" }, "FIREBASE_CLIENT_EMAIL is not set"},
		"no key":          {func(e *fcm.Env) { e.PrivateKey = "hello" }, "FIREBASE_PRIVATE_KEY"},
		"a cut key":       {func(e *fcm.Env) { e.PrivateKey = e.PrivateKey[:200] }, "FIREBASE_PRIVATE_KEY"},
		"no such file":    {func(e *fcm.Env) { e.ServiceAccountPath = filepath.Join(dir, "none") }, "FIREBASE_SERVICE_ACCOUNT_PATH"},
		"a user's file":   {func(e *fcm.Env) { e.ServiceAccountPath = filepath.Join(dir, "user.json") }, "is not the file of a service account"},
		"an HTML file":    {func(e *fcm.Env) { e.ServiceAccountPath = filepath.Join(dir, "html") }, "is not the file of a service account"},
		"part of a file":  {func(e *fcm.Env) { e.ServiceAccountPath = filepath.Join(dir, "part.json") }, "without project_id"},
		"a wrong address": {func(e *fcm.Env) { e.BaseURL = "fcm" }, "FCM_BASE_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := env()
			c.change(&e)
			err := e.Validate()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "MII") {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
	if err := (fcm.Env{}).Validate(); err != nil {
		t.Errorf("no Firebase at all is a mistake: %v", err)
	}
}
