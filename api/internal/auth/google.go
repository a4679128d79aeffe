package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

// GoogleUserInfo is where Google tells whom an OAuth access token belongs to, and
// GoogleTokenInfo for which client it was issued.
const (
	GoogleUserInfo  = "https://www.googleapis.com/oauth2/v3/userinfo"
	GoogleTokenInfo = "https://oauth2.googleapis.com/tokeninfo" //nolint:gosec // an address, no credential
)

const (
	// googleTimeout is how long Google may take; the mobile app waits ten seconds.
	googleTimeout = 5 * time.Second
	// googleReplyLimit is far more than the profile of a person.
	googleReplyLimit = 64 << 10
	// googleTokenLimit is twice the longest token that Google issues.
	googleTokenLimit = 4096
)

// Never a 401: clients take that for the end of their session.
var (
	errNoGoogleToken = web.Title("Google token is required", errs.Invalid("token", "Google token is required: send the OAuth access token as token"))
	errGoogleRefused = web.Title("Google token refused", errs.Invalid("token", "Google does not accept this token: log in with Google again"))
	errGoogleClient  = web.Title("Google token refused", errs.Invalid("token", "this Google token was issued to another application: log in with Google in this one"))
	errGoogleEmail   = web.Title("Google token refused", errs.Invalid("token", "Google has not verified the e-mail address of this account, or the token does not include it: ask for the scope email"))
	errGoogleAway    = web.Title("Google is not available", errs.New(errs.Upstream, "Google does not answer. Please try again."))
)

// GoogleOptions configure a Google. The zero value asks the real one, and takes
// tokens that any application got.
type GoogleOptions struct {
	// UserInfo and TokenInfo replace the addresses of Google.
	UserInfo, TokenInfo string
	// ClientIDs are the OAuth clients whose tokens are accepted; none = all, as in
	// the Node backend. An application of somebody else that a person logged in to
	// could use their token here.
	ClientIDs []string
	// Transport replaces the default one.
	Transport http.RoundTripper
}

// Google asks Google whom a token belongs to.
type Google struct {
	options GoogleOptions
	client  *http.Client
}

// NewGoogle returns a Google.
func NewGoogle(o GoogleOptions) *Google {
	if o.UserInfo == "" {
		o.UserInfo = GoogleUserInfo
	}
	if o.TokenInfo == "" {
		o.TokenInfo = GoogleTokenInfo
	}
	client := &http.Client{Timeout: googleTimeout, Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect would take the token elsewhere
	}}
	return &Google{options: o, client: client}
}

// googleProfile is what Google tells of a person.
type googleProfile struct {
	Email    string `json:"email"`
	Verified flag   `json:"email_verified"`
	Name     string `json:"name"`
	Picture  string `json:"picture"`
}

// flag is a boolean that Google has also sent as text.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(text []byte) error {
	*f = string(text) == "true" || string(text) == `"true"`
	return nil
}

// googleToken is what Google tells of a token.
type googleToken struct {
	Audience string `json:"aud"`
	Party    string `json:"azp"` // the client that asked for it
}

// profile returns whom a token belongs to. It fails with errGoogleRefused,
// errGoogleClient, errGoogleEmail or errGoogleAway. Causes never hold the token.
func (g *Google) profile(ctx context.Context, token string) (googleProfile, error) {
	if len(token) > googleTokenLimit || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return googleProfile{}, errGoogleRefused // no header can carry it
	}
	if err := g.checkClient(ctx, token); err != nil {
		return googleProfile{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.options.UserInfo, nil)
	if err != nil {
		return googleProfile{}, fmt.Errorf("ask Google: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	profile, err := ask[googleProfile](g.client, request)
	if err != nil {
		return googleProfile{}, err
	}
	if !bool(profile.Verified) || !validEmail(profile.Email) {
		return googleProfile{}, errGoogleEmail
	}
	return profile, nil
}

// checkClient refuses a token that was issued to a client that is not ours.
func (g *Google) checkClient(ctx context.Context, token string) error {
	if len(g.options.ClientIDs) == 0 {
		return nil
	}
	// In the body: addresses stand in errors and logs.
	form := strings.NewReader(url.Values{"access_token": {token}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.options.TokenInfo, form)
	if err != nil {
		return fmt.Errorf("ask Google: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	seen, err := ask[googleToken](g.client, request)
	if err != nil {
		return err
	}
	if !slices.Contains(g.options.ClientIDs, seen.Audience) {
		return withCause(errGoogleClient, fmt.Errorf("audience %q, authorized party %q", seen.Audience, seen.Party))
	}
	return nil
}

// ask sends a request to Google and reads its answer.
func ask[T any](client *http.Client, request *http.Request) (T, error) {
	var answer T
	request.Header.Set("Accept", "application/json")
	reply, err := client.Do(request)
	if err != nil {
		return answer, withCause(errGoogleAway, err)
	}
	defer func() { _ = reply.Body.Close() }()
	switch {
	case reply.StatusCode == http.StatusOK:
	case reply.StatusCode == http.StatusBadRequest, reply.StatusCode == http.StatusUnauthorized, reply.StatusCode == http.StatusForbidden:
		return answer, withCause(errGoogleRefused, errors.New(reply.Status))
	default:
		return answer, withCause(errGoogleAway, errors.New(reply.Status))
	}
	if err := json.NewDecoder(io.LimitReader(reply.Body, googleReplyLimit)).Decode(&answer); err != nil {
		return answer, withCause(errGoogleAway, err)
	}
	return answer, nil
}

// google logs in whoever owns a Google token, and makes an account at the first
// time.
//
// Google has verified the address. Whoever registered it before with a password
// has not, and may be anybody: at the first login with Google the password goes,
// and the sessions that it opened with it.
func (s *Service) google(ctx context.Context, profile googleProfile, client string) (Pair, error) {
	user, err := s.users.ByEmail(ctx, profile.Email)
	if errors.Is(err, ErrNoUser) {
		user, err = s.registerGoogle(ctx, profile)
	}
	if err == nil && !user.Verified {
		if user.PasswordHash != "" {
			s.log.WarnContext(ctx, "the password of an account was removed at its first login with Google: whoever set it had not verified the address")
		}
		user, err = s.users.Verify(ctx, user.ID, s.time())
		s.recent.changed(ctx, accountOf(user.ID))
	}
	if err != nil {
		return Pair{}, err
	}
	pair, err := s.open(ctx, user, s.time(), client)
	if err == nil {
		s.count(eventLogin)
	}
	return pair, err
}

func (s *Service) registerGoogle(ctx context.Context, profile googleProfile) (User, error) {
	name := profile.Name
	if name == "" {
		name, _, _ = strings.Cut(profile.Email, "@")
	}
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
	defer cancel()
	right, err := s.right("")
	if err != nil {
		return User{}, err
	}
	user, err := s.users.Create(ctx, NewUser{Name: name, Email: profile.Email, AvatarURL: profile.Picture, Google: true, Right: right})
	if errors.Is(err, ErrTaken) { // by the same person, at the same time
		return s.users.ByEmail(ctx, profile.Email)
	}
	return user, err
}
