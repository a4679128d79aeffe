package schedule

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"time"
)

// zoneNames are the names of the time zone database, one a line. Lookups by name
// know their own case only, and Go lists no names.
//
//go:embed zones.txt
var zoneNames string

// spelledZones gives the spelling of the database for a name in small letters.
var spelledZones = sync.OnceValue(func() map[string]string {
	spelled := map[string]string{}
	for name := range strings.FieldsSeq(zoneNames) {
		spelled[strings.ToLower(name)] = name
	}
	return spelled
})

// maxOffset is the farthest that clocks anywhere are from UTC.
const maxOffset = 14 * time.Hour

// ParseZone reads a time zone: an IANA name such as "Asia/Ho_Chi_Minh" (in any
// case, as Node accepts it), "UTC", or an offset "UTC+7", "UTC-03:30" of at
// most 14 hours, the forms that Agenda's date library knows. Names that stand
// for the zone of the process ("local", "system", "default" or nothing) are
// refused: the answer would depend on the machine.
//
// The time zone database is the one that the program carries; a program without
// one on disk imports time/tzdata. Refusals are a *SyntaxError.
func ParseZone(name string) (*time.Location, error) {
	loc, f := parseZone(name)
	if f != nil {
		return nil, f.in("repeatTimezone", name)
	}
	return loc, nil
}

func parseZone(name string) (*time.Location, *fault) {
	if f := tooLong(name); f != nil {
		return nil, f
	}
	lower := strings.ToLower(name)
	switch lower {
	case "utc", "gmt":
		return time.UTC, nil
	case "", "local", "system", "default":
		return nil, faultf(`write an IANA name such as "Asia/Ho_Chi_Minh"`, "does not name a time zone")
	}
	if rest, ok := strings.CutPrefix(lower, "utc"); ok {
		return parseOffsetZone(name, rest)
	}
	if loc, err := time.LoadLocation(name); err == nil {
		return loc, nil
	}
	if spelled, ok := spelledZones()[lower]; ok {
		if loc, err := time.LoadLocation(spelled); err == nil {
			return loc, nil
		}
	}
	return nil, faultf(`write an IANA name such as "Asia/Ho_Chi_Minh" or an offset such as "UTC+7"`, "is not a known time zone")
}

// parseOffsetZone reads what follows "UTC" in "UTC+7", "UTC-03:30".
func parseOffsetZone(name, offset string) (*time.Location, *fault) {
	bad := faultf(`write "UTC+7" or "UTC-03:30"`, "is not an offset of at most %d hours from UTC", int(maxOffset.Hours()))
	if len(offset) < 2 || (offset[0] != '+' && offset[0] != '-') {
		return nil, bad
	}
	hours, minutes, withMinutes := strings.Cut(offset[1:], ":")
	h, ok := digits(hours, 1, 2)
	m := 0
	if ok && withMinutes {
		m, ok = digits(minutes, 2, 2)
	}
	seconds := h*3600 + m*60
	if !ok || m > 59 || seconds > int(maxOffset.Seconds()) {
		return nil, bad
	}
	if offset[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone(strings.ToUpper(name), seconds), nil
}

// digits reads a whole number written with between least and most ASCII digits.
func digits(text string, least, most int) (int, bool) {
	if len(text) < least || len(text) > most {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
