package backup

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// nameTime is the part of a name that tells when the backup started, in UTC.
// Its text sorts as the times do.
const nameTime = "20060102T150405.000Z"

// NameOf names the backup of a database that starts at a time, such as
// "etrainer-20260817T030000.000Z".
func NameOf(database string, started time.Time) string {
	return url.PathEscape(database) + "-" + started.UTC().Format(nameTime)
}

// ParseName is the reverse of NameOf. Every other text is refused, so that a
// name can never lead out of the store.
func ParseName(name string) (database string, started time.Time, err error) {
	at := strings.LastIndexByte(name, '-')
	if at > 0 && name[0] != '.' { // no database begins with a dot; hidden folders do
		database, err = url.PathUnescape(name[:at])
		if err == nil {
			started, err = time.Parse(nameTime, name[at+1:])
		}
	}
	if database == "" || err != nil || NameOf(database, started) != name {
		return "", time.Time{}, fmt.Errorf("%q is not the name of a backup: list them with worker backup list", name)
	}
	return database, started, nil
}
