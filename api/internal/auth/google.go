package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

// GoogleUserInfo is where Google tells whom an OAuth access token belongs to.
const GoogleUserInfo = "https://www.googleapis.com/oauth2/v3/userinfo"

const (
	// googleTimeout is how long Google may take; the mobile app waits ten seconds.
	googleTimeout = 5 * time.Second
	// googleReplyLimit is far more than the profile of a person.
	googleReplyLimit = 64 << 10
)

// Never a 401: clients take that for the end of their session.
var (
	errNoGoogleToken = web.Title("Google token is required", errs.Invalid("token", "Google token is required: send the OAuth access token as token"))
	errGoogleRefused = web.Title("Google token refused", errs.Invalid("token", "Google does not accept this token: log in with Google again"))
	errGoogleEmail   = web.Title("Google token refused", errs.Invalid("token", "Google has not verified the e-mail address of this account, or the token does not include it: ask for the scope email"))
	errGoogleAway    = web.Title("Google is not available", errs.New(errs.Upstream, "Google does not answer. Please try again."))
)

// Google asks Google whom a token belongs to.
type Google struct {
	endpoint string
	client   *http.Client
}

// NewGoogle returns a Google. endpoint "" = GoogleUserInfo; transport nil = the
// default one.
func NewGoogle(endpoint string, transport http.RoundTripper) *Google {
	if endpoint == "" {
		endpoint = GoogleUserInfo
	}
	client := &http.Client{Timeout: googleTimeout, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect would take the token elsewhere
	}}
	return &Google{endpoint: endpoint, client: client}
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

// profile returns whom a token belongs to. It fails with errGoogleRefused,
// errGoogleEmail or errGoogleAway. Causes never hold the token.
func (g *Google) profile(ctx context.Context, token string) (googleProfile, error) {
	var profile googleProfile
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return profile, errGoogleRefused // no header can carry it
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.endpoint, nil)
	if err != nil {
		return profile, fmt.Errorf("ask Google: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	reply, err := g.client.Do(request)
	if err != nil {
		return profile, withCause(errGoogleAway, err)
	}
	defer func() { _ = reply.Body.Close() }()
	switch {
	case reply.StatusCode == http.StatusOK:
	case reply.StatusCode == http.StatusBadRequest, reply.StatusCode == http.StatusUnauthorized, reply.StatusCode == http.StatusForbidden:
		return profile, withCause(errGoogleRefused, errors.New(reply.Status))
	default:
		return profile, withCause(errGoogleAway, errors.New(reply.Status))
	}
	if err := json.NewDecoder(io.LimitReader(reply.Body, googleReplyLimit)).Decode(&profile); err != nil {
		return profile, withCause(errGoogleAway, err)
	}
	if !bool(profile.Verified) || !validEmail(profile.Email) {
		return profile, errGoogleEmail
	}
	return profile, nil
}

// google logs in whoever owns a Google token, and makes an account at the first
// time.
func (s *Service) google(ctx context.Context, token string) (Pair, error) {
	profile, err := s.googleAPI.profile(ctx, token)
	if err != nil {
		return Pair{}, err
	}
	user, err := s.users.ByEmail(ctx, profile.Email)
	if errors.Is(err, ErrNoUser) {
		user, err = s.registerGoogle(ctx, profile)
	}
	if err != nil {
		return Pair{}, err
	}
	return s.open(ctx, user)
}

func (s *Service) registerGoogle(ctx context.Context, profile googleProfile) (User, error) {
	name := profile.Name
	if name == "" {
		name, _, _ = strings.Cut(profile.Email, "@")
	}
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
	defer cancel()
	user, err := s.users.Create(ctx, NewUser{Name: name, Email: profile.Email, AvatarURL: profile.Picture, Google: true})
	if errors.Is(err, ErrTaken) { // by the same person, at the same time
		return s.users.ByEmail(ctx, profile.Email)
	}
	return user, err
}
