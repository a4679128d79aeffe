package job

import (
	"math"
	"time"
)

// LongestDelay bounds every delay before a retry, whatever a Retry says. Settings
// are written by hand as well, and a date beyond all dates would be now.
const LongestDelay = 365 * 24 * time.Hour

// The defaults of a Retry.
const (
	DefaultMaxAttempts = 4
	DefaultRetryDelay  = time.Second
	DefaultRetryFactor = 2
	DefaultMaxDelay    = time.Hour
	DefaultJitter      = 0.1
)

// WithDefaults fills the fields that are zero, or no number, and brings the others
// within their bounds.
func (r Retry) WithDefaults() Retry {
	if r.MaxAttempts <= 0 {
		r.MaxAttempts = DefaultMaxAttempts
	}
	if r.Delay <= 0 {
		r.Delay = DefaultRetryDelay
	}
	if !(r.Factor > 0) { // nor is NaN
		r.Factor = DefaultRetryFactor
	}
	if r.MaxDelay <= 0 {
		r.MaxDelay = DefaultMaxDelay
	}
	r.MaxDelay = min(r.MaxDelay, LongestDelay)
	if r.Jitter == 0 || math.IsNaN(r.Jitter) {
		r.Jitter = DefaultJitter
	}
	r.Jitter = math.Min(math.Max(r.Jitter, 0), 1)
	return r
}

// Next returns the delay before the attempt that follows attempt (1 = the
// first run failed). ok is false when the attempts are exhausted. random is a
// number in [0, 1) that places the delay within the jitter.
func (r Retry) Next(attempt int, random float64) (delay time.Duration, ok bool) {
	r = r.WithDefaults()
	if attempt >= r.MaxAttempts {
		return 0, false
	}
	most := float64(r.MaxDelay)
	exact := min(float64(r.Delay)*math.Pow(r.Factor, float64(max(attempt, 1)-1)), most)
	exact *= 1 + r.Jitter*(2*random-1)
	return time.Duration(min(exact, most)), true
}
