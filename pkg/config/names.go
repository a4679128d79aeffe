package config

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// names lists what any of the programs reads, since they share one file: a
// variable and its old names on each line. "make env-example" writes it.
//
//go:embed names.txt
var names string

// prefixes begin variables of the environment that are ours. Other variables are
// other people's, and nobody's mistakes.
var prefixes = []string{
	"AGENDA_", "API_", "BACKUP_", "BCRYPT_", "CLOUDINARY_", "EXPO_", "FCM_", "FIREBASE_", "JOBS_", "JWT_",
	"MEDIA_", "MONGODB_", "RATE_LIMIT_", "REDIS_", "SLOW_QUERY_", "WORKER_",
}

var (
	serviceLink = regexp.MustCompile(`_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	// settingName is what names of settings look like, and secrets do not.
	settingName = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,19}(_[A-Z0-9]{1,20}){1,6}$`)
)

// unknown tells of the names of the file, and of ours in the environment, that
// nothing reads.
func (s sources) unknown(fields []field) []string {
	current := currentNames(fields)
	var told []string
	hidden := 0
	for _, name := range slices.Sorted(maps.Keys(s.file)) {
		if current[name] != "" {
			continue
		}
		near := nearest(name, current)
		if near == "" && !settingName.MatchString(name) {
			hidden++
			continue
		}
		told = append(told, sentence(name, s.path, near))
	}
	if hidden > 0 {
		told = append(told, fmt.Sprintf(
			"%s has names that are not those of settings and have no effect, %d in number; they are not shown, since they may be parts of secrets: look for a value that goes on in the next line",
			s.path, hidden))
	}
	for _, name := range slices.Sorted(maps.Keys(s.environment)) {
		ours := slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if !ours || current[name] != "" || s.serviceLink(name) {
			continue
		}
		told = append(told, sentence(name, "the environment", nearest(name, current)))
	}
	return told
}

// serviceLink reports whether a variable is what Kubernetes tells a container of
// a Service that is named api, worker or redis.
func (s sources) serviceLink(name string) bool {
	return serviceLink.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.HasPrefix(s.environment[name], "tcp://")
}

func sentence(name, place, near string) string {
	mend := "remove it"
	if near != "" {
		mend = "rename it to " + near + ", or remove it"
	}
	return fmt.Sprintf("%s in %s is unknown and has no effect: %s", name, place, mend)
}

// currentNames maps each name that is known to the one that it has today.
func currentNames(fields []field) map[string]string {
	current := map[string]string{}
	for line := range strings.Lines(names) {
		all := strings.Fields(line)
		for _, name := range all {
			current[name] = all[0]
		}
	}
	for _, f := range fields {
		for _, name := range f.names {
			current[name] = f.names[0]
		}
	}
	for name := range withoutEffect {
		current[name] = name
	}
	return current
}

// nearest returns today's name of what is meant by an unknown one, "" if it is
// like none.
func nearest(name string, current map[string]string) string {
	plain := plainName(name)
	near, least := "", 1+len(plain)/4
	for _, known := range slices.Sorted(maps.Keys(current)) {
		if withoutEffect[known] {
			continue
		}
		if distance := levenshtein.ComputeDistance(plain, plainName(known)); distance < least {
			near, least = current[known], distance
		}
	}
	return near
}

// plainName makes the same of jwtSecretKey, jwt-secret-key and JWT_SECRET_KEY.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-. ", r) {
			return -1
		}
		return r
	}, strings.ToUpper(name))
}
