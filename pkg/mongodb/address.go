package mongodb

import (
	"errors"
	"net/url"
	"strings"
)

const (
	plainScheme = "mongodb://"
	srvScheme   = "mongodb+srv://"
)

// address is what we need to know of a connection string before the driver
// reads it. The driver's own reader looks SRV addresses up in the DNS, and its
// errors may quote credentials.
type address struct {
	hosts    string // host:port, separated by commas
	database string // "" = none named
}

// The mistakes in an address, as sentences that quote none of it.
var (
	errScheme    = errors.New("begin it with " + plainScheme + " or " + srvScheme)
	errUnescaped = errors.New("escape the signs in its user and password: @ is %40, : is %3A, / is %2F, ? is %3F, % is %25")
	errNoHost    = errors.New("name a host, as in " + plainScheme + "host:27017/database")
	errSRVHost   = errors.New("name exactly one host without a port after " + srvScheme)
	errDatabase  = errors.New("name one database after the host, as in " + plainScheme + "host:27017/database")
)

func parseAddress(uri string) (address, error) {
	rest, srv := strings.CutPrefix(uri, srvScheme)
	if !srv {
		var ok bool
		if rest, ok = strings.CutPrefix(uri, plainScheme); !ok {
			return address{}, errScheme
		}
	}
	// Without its query an address has at most one @, and no slash before it.
	rest, query, _ := strings.Cut(rest, "?")
	userInfo, rest, hasUser := strings.Cut(rest, "@")
	if !hasUser {
		userInfo, rest = "", userInfo
		// A ? in an unescaped password hides the rest of it in the query.
		if strings.Contains(query, "@") {
			return address{}, errUnescaped
		}
	}
	if strings.Contains(rest, "@") || strings.ContainsAny(userInfo, "/") || strings.Count(userInfo, ":") > 1 || !escaped(userInfo) {
		return address{}, errUnescaped
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if hosts == "" || strings.Contains(","+hosts+",", ",,") {
		return address{}, errNoHost
	}
	if srv && strings.ContainsAny(hosts, ",:") {
		return address{}, errSRVHost
	}
	database, err := url.PathUnescape(path)
	if err != nil || strings.ContainsAny(database, `/\. "$`+"\x00") {
		return address{}, errDatabase
	}
	return address{hosts: hosts, database: database}, nil
}

// escaped reports whether every % begins an escape.
func escaped(userInfo string) bool {
	_, err := url.PathUnescape(userInfo)
	return err == nil
}
