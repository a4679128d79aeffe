package fcm

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"github.com/etrainer/backend/pkg/push"
)

// fetchTimeout bounds one request for a token.
const fetchTimeout = 15 * time.Second

// tokens keeps the OAuth2 token that is valid now.
type tokens struct {
	config jwt.Config
	client *http.Client

	mu     sync.Mutex
	source oauth2.TokenSource
	last   string
}

func newTokens(account Account, transport http.RoundTripper) *tokens {
	return &tokens{
		config: jwt.Config{
			Email: account.ClientEmail, PrivateKey: []byte(account.PrivateKey.Reveal()), PrivateKeyID: account.PrivateKeyID,
			Scopes: []string{scope}, TokenURL: account.TokenURL,
		},
		client: &http.Client{Transport: transport, Timeout: fetchTimeout},
	}
}

// get returns a token that is valid, and asks for one first when there is
// none. Whoever comes meanwhile waits for the same answer.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return "", &push.Failure{Reason: push.NotSent, Err: err}
	}
	if t.source == nil { // it outlives the request that happened to come first
		t.source = t.config.TokenSource(context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, t.client))
	}
	token, err := t.source.Token()
	if err != nil {
		return "", refused(err)
	}
	t.last = token.AccessToken
	return token.AccessToken, nil
}

// drop forgets a token that was refused, unless a newer one is here already.
func (t *tokens) drop(refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == refused {
		t.source = nil
	}
}

// refused tells a wrong account from a token server that is away. Nothing was
// sent in either case.
func refused(err error) *push.Failure {
	failure := &push.Failure{Reason: push.Unavailable, Detail: "no OAuth2 token could be had"}
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		failure.Err = err
		return failure
	}
	status := answer.Response.StatusCode
	failure.Detail += ": " + http.StatusText(status)
	if answer.ErrorCode != "" {
		failure.Detail += ": " + answer.ErrorCode
	}
	if status >= 400 && status < 500 && status != http.StatusTooManyRequests {
		failure.Reason = push.Credentials
	}
	return failure
}
