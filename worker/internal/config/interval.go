package config

import (
	"errors"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// Interval is a duration, or words such as "10 seconds", in which Agenda's
// processEvery is written.
type Interval time.Duration

// UnmarshalText reads either.
func (i *Interval) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		if d, err = schedule.ParseInterval(string(text)); err != nil {
			return errors.New("write a number with a unit, such as 5s (units: ms, s, m, h)")
		}
	}
	*i = Interval(d)
	return nil
}

// MarshalText writes the duration.
func (i Interval) MarshalText() ([]byte, error) { return []byte(time.Duration(i).String()), nil }
