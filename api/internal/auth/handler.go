package auth

import (
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
	user, err := s.register(c.Request.Context(), input)
	if err != nil {
		return err
	}
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
	user, pair, err := s.login(c.Request.Context(), email, password, web.ClientKey(c))
	if err != nil {
		return err
	}
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
	pair, err := s.google(c.Request.Context(), *body.Token)
	if err != nil {
		return err
	}
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
	pair, err := s.refresh(c.Request.Context(), token)
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, pairReply{Token: pair.Access, RefreshToken: pair.Refresh})
}

func (s *Service) postLogout(c *gin.Context) error {
	if err := s.logout(c.Request.Context(), CallerOf(c.Request.Context())); err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, messageReply{"Logged out successfully"})
}
