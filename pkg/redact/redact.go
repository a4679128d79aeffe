// Package redact hides credentials in text that people may read: logs,
// errors, start-up print.
package redact

import (
	"iter"
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
	"authorization", "cookie", "credential", "credentials", "apikey",
}

// Key reports whether a value under this name is a secret: a name with a word
// such as password, token, secret or authorization in it, in snake_case,
// kebab-case or camelCase, a name that ends in "api key" or "private key", and
// "jwt" alone.
func Key(name string) bool {
	count, before, last := 0, "", ""
	for word := range words(name) {
		if slices.ContainsFunc(secretWords, func(secret string) bool { return len(word) == len(secret) && strings.EqualFold(word, secret) }) {
			return true
		}
		count, before, last = count+1, last, word
	}
	if strings.EqualFold(last, "key") {
		return strings.EqualFold(before, "api") || strings.EqualFold(before, "private")
	}
	return count == 1 && strings.EqualFold(last, "jwt")
}

// words splits a name at underscores, dashes, dots, spaces and where a
// capital follows a small letter.
func words(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		begin := 0
		for i := range len(name) {
			c := name[i]
			mark := c == '_' || c == '-' || c == '.' || c == ' '
			hump := i > 0 && 'A' <= c && c <= 'Z' && 'a' <= name[i-1] && name[i-1] <= 'z'
			if !mark && !hump {
				continue
			}
			if i > begin && !yield(name[begin:i]) {
				return
			}
			begin = i
			if mark {
				begin = i + 1
			}
		}
		if begin < len(name) {
			yield(name[begin:])
		}
	}
}
