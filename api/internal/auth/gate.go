package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/logging"
)

// Caller is who makes a request. Of the User it has the ID, the address and the
// role.
type Caller struct {
	User    User
	session string
}

type callerKey struct{}

// CallerOf returns who makes a request that has passed LoggedIn or Admin.
func CallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}

// forbidden tells which role is missing.
func forbidden(role Role) error {
	return web.Title("Forbidden", errs.Newf(errs.Forbidden, "Forbidden: this needs the role %s, and your account has the role %s", RoleAdmin, role))
}

// LoggedIn lets only callers with a good access token pass.
func (s *Service) LoggedIn() gin.HandlerFunc {
	return func(c *gin.Context) {
		caller, err := s.caller(c)
		if errors.Is(err, ErrNoUser) {
			err = withCause(errBadToken, err)
		}
		pass(c, caller, err)
	}
}

// Admin lets only administrators pass. The role is the one that is stored, or was
// two seconds ago, whatever the token says.
func (s *Service) Admin() gin.HandlerFunc {
	return func(c *gin.Context) {
		caller, err := s.caller(c)
		switch {
		case errors.Is(err, ErrNoUser):
			err = errAdminNotFound
		case err == nil && !caller.User.Admin():
			err = forbidden(caller.User.Role)
		}
		pass(c, caller, err)
	}
}

func pass(c *gin.Context, caller Caller, err error) {
	if err != nil {
		web.Fail(c, err)
		return
	}
	ctx := context.WithValue(c.Request.Context(), callerKey{}, caller)
	c.Request = c.Request.WithContext(logging.With(ctx, slog.String("user_id", caller.User.ID), slog.String("session", caller.session)))
	c.Next()
}

func (s *Service) caller(c *gin.Context) (Caller, error) {
	header := c.GetHeader("Authorization")
	if header == "" {
		return Caller{}, errNoToken
	}
	// The scheme's name is not looked at: clients of the Node backend send
	// several.
	_, token, _ := strings.Cut(header, " ")
	token, _, _ = strings.Cut(token, " ")
	if token == "" {
		return Caller{}, errBadToken
	}
	return s.identify(c.Request.Context(), token)
}
