package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
)

// The events that are counted.
const (
	eventLogin         = "login"          // a session was opened
	eventLoginFailed   = "login_failed"   // a wrong password or an unknown address
	eventSlowed        = "login_slowed"   // an account with many failures let a login wait
	eventLockOut       = "lock_out"       // and refused it, or the client's address did
	eventRefresh       = "refresh"        // a refresh token bought a pair
	eventRefreshFailed = "refresh_failed" // one of a session that ended
	eventReuse         = "refresh_reuse"  // one that was replaced long ago: a theft
	eventAllEnded      = "sessions_ended" // all sessions of an account were ended
)

// newEvents counts from zero, so that the first theft is an increase.
func newEvents() *prometheus.CounterVec {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metrics.Namespace, Name: "auth_events_total",
		Help: "Logins, refreshes and their failures, lock-outs, and refresh tokens that came again.",
	}, []string{"event"})
	for _, event := range []string{
		eventLogin, eventLoginFailed, eventSlowed, eventLockOut, eventRefresh, eventRefreshFailed, eventReuse, eventAllEnded,
	} {
		events.WithLabelValues(event)
	}
	return events
}

// Collector is what the Service counts.
func (s *Service) Collector() prometheus.Collector { return s.events }

func (s *Service) count(event string) { s.events.WithLabelValues(event).Inc() }

// tell puts attributes on every line that is logged for a request from now on,
// that of the access log among them.
func tell(c *gin.Context, attrs ...slog.Attr) {
	c.Request = c.Request.WithContext(logging.With(c.Request.Context(), attrs...))
}

// accountAttr names an account in the log.
func accountAttr(email string) slog.Attr { return slog.String("account", accountName(email)) }

// accountName names an account in the log by its address, which stands nowhere
// there: the first 16 hexadecimal digits of the SHA-256 of the address in small
// letters, so that an operator who looks for one can make it.
func accountName(email string) string { return accountKey(email)[:16] }

// accountKey keeps addresses of people out of what is stored.
func accountKey(email string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	return hex.EncodeToString(sum[:16])
}
