// Package redact hides credentials in text that people may read: logs,
// errors, start-up print.
package redact

import (
	"regexp"
	"slices"
	"strings"
)

// Mask stands for a hidden value. It has one length, so it tells nothing of
// the length of the value.
const Mask = "[hidden]"

// userInfo is what stands between the scheme and the host of a URL. A
// password that nobody escaped may hold any character, so it reaches to the
// last @ of the word.
var userInfo = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s"'<>]*@`)

// secretParameter is a query parameter of a URL that holds a secret.
var secretParameter = regexp.MustCompile(`(?i)([?&](?:[a-z_-]*(?:password|passwd|secret|token|signature|api_?key)))=[^&\s"'<>]*`)

// Text returns s with the user part of every URL in it hidden, as in
// mongodb://[hidden]@host/db, and with the values of query parameters that
// are named like secrets.
func Text(s string) string {
	if !strings.Contains(s, "://") { // the usual case, and far cheaper
		return s
	}
	s = userInfo.ReplaceAllString(s, "${1}"+Mask+"@")
	return secretParameter.ReplaceAllString(s, "${1}="+Mask)
}

// secretWords are the words that make a key a secret one.
var secretWords = []string{
	"password", "passwd", "passphrase", "secret", "secrets", "token", "tokens",
	"authorization", "cookie", "credential", "credentials",
}

// Key reports whether a value under this name is a secret: a name with a word
// such as password, token, secret or authorization in it, in snake_case,
// kebab-case or camelCase, a name that ends in "api key" or "private key", and
// "jwt" alone.
func Key(name string) bool {
	all := words(name)
	if len(all) == 1 && all[0] == "jwt" {
		return true
	}
	if len(all) >= 2 {
		last := strings.Join(all[len(all)-2:], " ")
		if last == "api key" || last == "private key" {
			return true
		}
	}
	return slices.ContainsFunc(all, func(word string) bool {
		return slices.Contains(secretWords, word) || word == "apikey"
	})
}

// words splits a name at underscores, dashes, dots, spaces and where a
// capital follows a small letter, and returns the words in small letters.
func words(name string) []string {
	var out []string
	begin := 0
	flush := func(end int) {
		if end > begin {
			out = append(out, strings.ToLower(name[begin:end]))
		}
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_' || c == '-' || c == '.' || c == ' ':
			flush(i)
			begin = i + 1
		case i > 0 && 'A' <= c && c <= 'Z' && 'a' <= name[i-1] && name[i-1] <= 'z':
			flush(i)
			begin = i
		}
	}
	flush(len(name))
	return out
}
