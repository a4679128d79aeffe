package auth

import (
	"log/slog"

	"github.com/etrainer/backend/pkg/limit"
)

// Option is an optional part of a Service.
type Option func(*Service)

// WithGoogle asks another Google than the real one.
func WithGoogle(google *Google) Option { return func(s *Service) { s.googleAPI = google } }

// WithThrottle counts failed logins per account and per address in a store.
// Without it only the limit of /api/auth counts them.
func WithThrottle(store limit.Store, log *slog.Logger) Option {
	return func(s *Service) { s.throttle = newThrottle(store, log) }
}
