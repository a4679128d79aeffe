package auth

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

type registeredReply struct {
	Message string         `json:"message"`
	User    map[string]any `json:"user"`
}

type loginReply struct {
	pairReply
	User    map[string]any `json:"user"`
	IsAdmin bool           `json:"isAdmin"`
}

type pairReply struct {
	Token        string `json:"token"`
	RefreshToken string `json:"refreshToken"`
}

// endedReply tells whose sessions were ended.
type endedReply struct {
	Message string `json:"message"`
	UserID  string `json:"userId"`
	Email   string `json:"email"`
}

type messageReply struct {
	Message string `json:"message"`
}

// postRegister creates an account. It opens no session: clients log in next.
func (s *Service) postRegister(c *gin.Context) error {
	body, err := web.Decode[registrationBody](c)
	if err != nil {
		return err
	}
	input, err := body.check()
	if err != nil {
		return err
	}
	tell(c, accountAttr(input.Email))
	user, err := s.register(c.Request.Context(), input)
	if err != nil {
		return err
	}
	tell(c, slog.String("user_id", user.ID))
	return web.JSON(c, http.StatusCreated, registeredReply{Message: "Register successfully", User: user.Profile})
}

func (s *Service) postLogin(c *gin.Context) error {
	body, err := web.Decode[loginBody](c)
	if err != nil {
		return err
	}
	email, password, err := body.check()
	if err != nil {
		return err
	}
	tell(c, accountAttr(email))
	user, pair, err := s.login(c.Request.Context(), email, password, web.ClientKey(c))
	if err != nil {
		return err
	}
	tell(c, slog.String("user_id", user.ID), slog.String("session", pair.session))
	return web.JSON(c, http.StatusOK, loginReply{
		pairReply: pairReply{Token: pair.Access, RefreshToken: pair.Refresh},
		User:      user.Profile,
		IsAdmin:   user.Admin(),
	})
}

func (s *Service) postGoogle(c *gin.Context) error {
	body, err := web.Decode[googleBody](c)
	if err != nil {
		return err
	}
	if body.Token == nil || *body.Token == "" {
		return errNoGoogleToken
	}
	profile, err := s.googleAPI.profile(c.Request.Context(), *body.Token)
	if err != nil {
		return err
	}
	tell(c, accountAttr(profile.Email))
	pair, err := s.google(c.Request.Context(), profile, web.ClientKey(c))
	if err != nil {
		return err
	}
	tell(c, slog.String("session", pair.session))
	return web.JSON(c, http.StatusOK, pairReply{Token: pair.Access, RefreshToken: pair.Refresh})
}

func (s *Service) postRefresh(c *gin.Context) error {
	body, err := web.Decode[refreshBody](c)
	if err != nil {
		return err
	}
	token, err := body.token()
	if err != nil {
		return err
	}
	used, err := s.tokens.readRefresh(token)
	if err != nil {
		s.count(eventRefreshFailed)
		return withCause(errBadRefresh, err)
	}
	tell(c, slog.String("user_id", used.UserID), accountAttr(used.Email), slog.String("session", used.Session))
	pair, err := s.refresh(c.Request.Context(), used, web.ClientKey(c))
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, pairReply{Token: pair.Access, RefreshToken: pair.Refresh})
}

// postLogout ends the session of the caller, or all of them.
func (s *Service) postLogout(c *gin.Context) error {
	body, err := web.Decode[logoutBody](c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	caller := CallerOf(ctx)
	if body.Everywhere {
		if err := s.endSessions(ctx, caller.User.ID); err != nil {
			return err
		}
		return web.JSON(c, http.StatusOK, messageReply{"Logged out everywhere"})
	}
	if err := s.logout(ctx, caller); err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, messageReply{"Logged out successfully"})
}

// deleteSessions ends all sessions of an account, which is named by its id or its
// address.
func (s *Service) deleteSessions(c *gin.Context) error {
	ctx := c.Request.Context()
	user, err := s.find(ctx, c.Param("user"))
	if err == nil {
		err = s.endSessions(ctx, user.ID)
	}
	if errors.Is(err, ErrNoUser) {
		return withCause(errNoSuchUser, err)
	}
	if err != nil {
		return err
	}
	s.log.WarnContext(ctx, "all sessions of an account were ended by an administrator", accountAttr(user.Email))
	return web.JSON(c, http.StatusOK, endedReply{Message: "All sessions were ended", UserID: user.ID, Email: user.Email})
}
