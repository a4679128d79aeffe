package config_test

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/config"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]struct {
		got  error
		want string
	}{
		"between, least":    {config.Between("N", 1, 1, 9), ""},
		"between, most":     {config.Between("N", 9, 1, 9), ""},
		"between, below":    {config.Between("N", 0, 1, 9), `N is "0", which is out of range: set it to a number from 1 to 9`},
		"between, above":    {config.Between("N", 10, 1, 9), `N is "10", which is out of range: set it to a number from 1 to 9`},
		"at least":          {config.AtLeast("N", 1, 1), ""},
		"at least, below":   {config.AtLeast("N", 0, 1), `N is "0", which is too small: set it to 1 or more`},
		"lasts":             {config.Lasts("D", time.Second, time.Second), ""},
		"lasts, below":      {config.Lasts("D", time.Millisecond, time.Second), `D is "1ms", which is too short: set it to 1s or more`},
		"not negative":      {config.NotNegative("D", 0), ""},
		"negative":          {config.NotNegative("D", -time.Second), `D is "-1s", which is negative: set it to a duration such as 30s`},
		"level":             {config.LogLevel("L", "WARN"), ""},
		"level, by default": {config.LogLevel("L", ""), ""},
		"level, unknown":    {config.LogLevel("L", "fatal"), `L is "fatal", which is unknown: set it to debug, info, warn or error`},
	} {
		if each.want == "" && each.got != nil || each.want != "" && (each.got == nil || each.got.Error() != each.want) {
			t.Errorf("%s: %v, want %q", name, each.got, each.want)
		}
	}
}
