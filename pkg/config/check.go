package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Between checks that a whole number is from least to most.
func Between(variable string, value, least, most int64) error {
	if least <= value && value <= most {
		return nil
	}
	return Problem{
		Variable: variable, Value: strconv.FormatInt(value, 10), Fault: "is out of range",
		Mend: "set it to a number from " + strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10),
	}
}

// AtLeast checks that a whole number is not below least.
func AtLeast(variable string, value, least int) error {
	if value >= least {
		return nil
	}
	return Problem{Variable: variable, Value: strconv.Itoa(value), Fault: "is too small", Mend: "set it to " + strconv.Itoa(least) + " or more"}
}

// Lasts checks that a duration is not below least.
func Lasts(variable string, value, least time.Duration) error {
	if value >= least {
		return nil
	}
	return Problem{Variable: variable, Value: value.String(), Fault: "is too short", Mend: "set it to " + least.String() + " or more"}
}

// NotNegative checks that a duration is zero or more.
func NotNegative(variable string, value time.Duration) error {
	if value >= 0 {
		return nil
	}
	return Problem{Variable: variable, Value: value.String(), Fault: "is negative", Mend: "set it to a duration such as 30s"}
}

// LogLevel checks the name of a level of the log, in any case; "" is the default
// of the program.
func LogLevel(variable, value string) error {
	if value == "" || slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(value)) {
		return nil
	}
	return Problem{Variable: variable, Value: value, Fault: "is unknown", Mend: "set it to debug, info, warn or error"}
}
