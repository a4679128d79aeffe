package config

import (
	"strconv"
	"strings"

	"github.com/etrainer/backend/pkg/config"
)

// minSecretBytes is the size of the hash in HS256: a shorter key is weaker
// than the signature (RFC 7518).
const minSecretBytes = 32

// placeholders are words of the secrets that examples and templates show.
var placeholders = []string{
	"your_", "your-", "yoursecret", "change_me", "change-me", "changeme", "change_this", "change-this", "changethis",
	"replace", "placeholder", "example", "secret_here", "secret-here", "supersecret", "super_secret", "super-secret",
	"secret_key", "secret-key", "secretkey", "jwt_secret", "jwt-secret", "jwtsecret", "development", "password",
}

// minDifferent is how many different bytes a random secret has at least: one
// of 32 hexadecimal digits has fewer about once in a million times.
const minDifferent = 8

// checkSecret refuses secrets that others can guess. "" is checked elsewhere.
func checkSecret(variable string, secret config.Secret) error {
	text := secret.Reveal()
	problem := config.Problem{Variable: variable, Mend: "set it to 32 random bytes or more, for example from: openssl rand -base64 48"}
	switch {
	case text == "":
		return nil
	case len(text) < minSecretBytes:
		problem.Fault = "has " + strconv.Itoa(len(text)) + " bytes, and needs " + strconv.Itoa(minSecretBytes)
	case isPlaceholder(text):
		problem.Fault = "is a placeholder that anybody can guess"
	default:
		return nil
	}
	return problem
}

func isPlaceholder(text string) bool {
	lower := strings.ToLower(text)
	for _, word := range placeholders {
		if strings.Contains(lower, word) {
			return true
		}
	}
	if twice := text + text; strings.Contains(twice[1:len(twice)-1], text) {
		return true // something shorter, again and again
	}
	different := map[byte]bool{}
	for i := range len(text) {
		different[text[i]] = true
	}
	return len(different) < minDifferent
}
