// Package logpush writes push messages to the log in place of sending them:
// PUSH_DRIVER=log, the default outside production. It takes every token, so
// the jobs can be tried with demo data, and counts everything as accepted.
package logpush

import (
	"context"
	"log/slog"
	"strings"

	"github.com/etrainer/backend/pkg/push"
)

// Provider implements push.Provider.
type Provider struct {
	name string
	log  *slog.Logger
}

var _ push.Provider = (*Provider)(nil)

// New returns a Provider that stands in for the one of a name.
func New(name string, log *slog.Logger) *Provider { return &Provider{name: name, log: log} }

// Name implements push.Provider.
func (p *Provider) Name() string { return p.name }

// Limits implements push.Provider.
func (*Provider) Limits() push.Limits { return push.Limits{Batch: 100, Concurrency: 4} }

// Valid implements push.Provider.
func (*Provider) Valid(token string) bool { return token != "" }

// Send implements push.Provider. What was not sent has no id to ask about.
func (p *Provider) Send(ctx context.Context, batch []push.Message) ([]push.Result, error) {
	for _, m := range batch {
		p.log.InfoContext(ctx, "push message, not sent", slog.String("provider", p.name), slog.String("device", mask(m.Token)),
			slog.String("title", m.Title), slog.String("body", m.Body), slog.Any("data", m.Data))
	}
	return make([]push.Result, len(batch)), nil
}

// mask shows enough of a token to tell devices apart.
func mask(token string) string {
	const shown = 4
	if len(token) <= 2*shown {
		return "…"
	}
	return strings.ToValidUTF8(token[:shown]+"…"+token[len(token)-shown:], "")
}
