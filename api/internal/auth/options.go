package auth

import (
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/limit"
)

// Option is an optional part of a Service.
type Option func(*Service)

// WithGoogle asks another Google than the real one.
func WithGoogle(google *Google) Option { return func(s *Service) { s.googleAPI = google } }

// WithAnnounce tells the other replicas when a session ends. Without it they
// notice two seconds later.
func WithAnnounce(announce Announce) Option { return func(s *Service) { s.announce = announce } }

// WithClock times how long accounts and sessions are remembered; else time.Now
// does.
func WithClock(now func() time.Time) Option { return func(s *Service) { s.now = now } }

// WithLog sets where the Service logs to.
func WithLog(log *slog.Logger) Option { return func(s *Service) { s.log = log } }

// WithBootstrap sets the secret with which the first administrator registers. ""
// = there is none, and the very first account is the administrator's.
func WithBootstrap(secret string) Option { return func(s *Service) { s.bootstrap = []byte(secret) } }

// WithTurns sets how a login waits for its turn where its account had many
// failures; it comes after WithThrottle. Else time.After does.
func WithTurns(after func(time.Duration) <-chan time.Time) Option {
	return func(s *Service) { s.throttle.after = after }
}

// WithThrottle counts failed logins per account and per address in a store.
// Without it only the limit of /api/auth counts them.
func WithThrottle(store limit.Store, log *slog.Logger) Option {
	return func(s *Service) { s.throttle = newThrottle(store, log) }
}
