package config

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Lifetime is how long a token is valid, written as the Node backend's
// libraries read it: a number and a unit, such as 15m, 1h, 7d or 2w.
type Lifetime time.Duration

// maxLifetime keeps a slip of the pen from making tokens that never expire.
const maxLifetime = 366 * 24 * time.Hour

var (
	lifetimeForm  = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?(s|m|h|d|w)$`)
	lifetimeUnits = map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
)

// UnmarshalText reads a lifetime.
func (l *Lifetime) UnmarshalText(text []byte) error {
	parts := lifetimeForm.FindStringSubmatch(string(text))
	if parts == nil {
		return errors.New("write a number with a unit, such as 15m, 1h or 7d")
	}
	number, err := strconv.ParseFloat(parts[1], 64)
	exact := number * float64(lifetimeUnits[parts[2]])
	if err != nil || exact < float64(time.Second) || exact > float64(maxLifetime) {
		return errors.New("choose a time from 1s to 366d")
	}
	*l = Lifetime(math.Round(exact))
	return nil
}

// MarshalText writes the lifetime in the form that UnmarshalText reads.
func (l Lifetime) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// String writes the lifetime in the largest unit that divides it.
func (l Lifetime) String() string {
	for _, unit := range []string{"w", "d", "h", "m"} {
		if length := lifetimeUnits[unit]; l > 0 && time.Duration(l)%length == 0 {
			return strconv.FormatInt(int64(time.Duration(l)/length), 10) + unit
		}
	}
	return strconv.FormatFloat(time.Duration(l).Seconds(), 'f', -1, 64) + "s"
}
