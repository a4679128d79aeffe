package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The values of the claim "type". Tokens of the Node backend have none.
const (
	typeAccess  = "access"
	typeRefresh = "refresh"
)

// errToken is the failure of every token that is not accepted. Clients are not
// told more.
var errToken = errors.New("token not accepted")

// TokenOptions configure Tokens.
type TokenOptions struct {
	// AccessSecret and RefreshSecret sign the two types of token. An empty
	// RefreshSecret means the AccessSecret, as in the Node backend.
	AccessSecret, RefreshSecret []byte
	// AccessLifetime and RefreshLifetime are how long tokens are valid.
	AccessLifetime, RefreshLifetime time.Duration
	// SessionLifetime is how long a session lasts at most, however often its
	// tokens are refreshed; 0 = for ever.
	SessionLifetime time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Tokens issues and reads tokens: JWT signed with HS256, and nothing else.
type Tokens struct {
	options TokenOptions
	parser  *jwt.Parser
}

// NewTokens returns a Tokens.
func NewTokens(options TokenOptions) *Tokens {
	if len(options.RefreshSecret) == 0 {
		options.RefreshSecret = options.AccessSecret
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(), // one spelling of a signature: see legacySession
		jwt.WithTimeFunc(options.Now),
	)
	return &Tokens{options: options, parser: parser}
}

// claims are the content of a token: those of the Node backend, so that its
// processes can read our tokens, and type, sid and jti beside them.
type claims struct {
	UserID string `json:"id"`
	Email  string `json:"email"`
	// Role is a hint for clients. It decides nothing here: see Gate.
	Role string `json:"role,omitempty"`
	Type string `json:"type,omitempty"`
	// Session is the session that the token belongs to.
	Session string `json:"sid,omitempty"`
	// Began is when its user logged in; refresh tokens alone have it. It is named
	// as in OpenID Connect.
	Began *jwt.NumericDate `json:"auth_time,omitempty"`
	// Stamp is User.Stamp when the token was issued.
	Stamp string `json:"stamp,omitempty"`
	jwt.RegisteredClaims
}

// legacy reports whether the Node backend issued the token.
func (c claims) legacy() bool { return c.Type == "" }

// issuedAt is the zero time when the token does not say.
func (c claims) issuedAt() time.Time {
	if c.IssuedAt == nil {
		return time.Time{}
	}
	return c.IssuedAt.Time
}

// began is when the session of a refresh token began. One of an older release,
// or of the Node backend, does not say; it is no older than its session.
func (c claims) began() time.Time {
	if c.Began == nil {
		return c.issuedAt()
	}
	return c.Began.Time
}

// Pair is what a client gets to know of its session.
type Pair struct {
	Access  string
	Refresh string
	session string // of both tokens
}

// expiry is when a token that is issued now, or was, for a session expires.
func (t *Tokens) expiry(session Session, lifetime time.Duration) time.Time {
	expires := session.Issued.Add(lifetime)
	if limit := session.Began.Add(t.options.SessionLifetime); t.options.SessionLifetime > 0 && limit.Before(expires) {
		return limit
	}
	return expires
}

// issue signs both tokens of a session. The same session gets the same tokens,
// as long as nothing changes in the account.
func (t *Tokens) issue(user User, session Session) (Pair, error) {
	access, err := t.sign(t.options.AccessSecret, session.Issued, t.expiry(session, t.options.AccessLifetime), claims{
		UserID: user.ID, Email: user.Email, Role: string(user.Role), Type: typeAccess, Session: session.ID, Stamp: user.Stamp,
		RegisteredClaims: jwt.RegisteredClaims{ID: accessID(session.Refresh)},
	})
	if err != nil {
		return Pair{}, err
	}
	refresh, err := t.sign(t.options.RefreshSecret, session.Issued, session.Expires, claims{
		UserID: user.ID, Email: user.Email, Type: typeRefresh, Session: session.ID, Began: jwt.NewNumericDate(session.Began), Stamp: user.Stamp,
		RegisteredClaims: jwt.RegisteredClaims{ID: session.Refresh},
	})
	return Pair{Access: access, Refresh: refresh, session: session.ID}, err
}

// accessID is the jti of the access token beside a refresh token.
func accessID(refreshID string) string {
	sum := sha256.Sum256([]byte("access " + refreshID))
	return base32.StdEncoding.EncodeToString(sum[:])[:26] // as long as newID
}

func (t *Tokens) sign(secret []byte, issued, expires time.Time, content claims) (string, error) {
	content.IssuedAt, content.ExpiresAt = jwt.NewNumericDate(issued), jwt.NewNumericDate(expires)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, content).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}

// readAccess accepts an access token. One of the Node backend, which has no
// type, is told from a refresh token by its role.
func (t *Tokens) readAccess(token string) (claims, error) {
	content, err := t.read(token, t.options.AccessSecret)
	if err != nil {
		return claims{}, err
	}
	if content.Type == typeAccess && content.Session != "" {
		return content, nil
	}
	if content.legacy() && content.Role != "" {
		content.Session = legacySession(token)
		return content, nil
	}
	return claims{}, errToken
}

// readRefresh accepts a refresh token; see readAccess for old ones. A Node
// backend without a JWT_REFRESH_SECRET signed its own with the AccessSecret.
func (t *Tokens) readRefresh(token string) (claims, error) {
	content, err := t.read(token, t.options.RefreshSecret)
	ours := content.Type == typeRefresh && content.Session != "" && content.ID != ""
	if errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		content, err = t.read(token, t.options.AccessSecret)
	}
	switch {
	case err != nil:
		return claims{}, err
	case ours, content.legacy() && content.Role == "":
		return content, nil
	default:
		return claims{}, errToken
	}
}

func (t *Tokens) read(token string, secret []byte) (claims, error) {
	var content claims
	_, err := t.parser.ParseWithClaims(token, &content, func(*jwt.Token) (any, error) { return secret, nil })
	if err != nil {
		return claims{}, fmt.Errorf("%w: %w", errToken, err)
	}
	if content.UserID == "" {
		return claims{}, errToken
	}
	return content, nil
}

// legacySession names the session of a token that has none: the token itself,
// which has one spelling only.
func legacySession(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "token:" + hex.EncodeToString(sum[:])
}

// newID returns a name that nobody can guess.
func newID() string { return rand.Text() }
