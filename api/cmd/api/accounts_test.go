package main

import (
	"regexp"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

// TestCommandsForAccounts run as an operator runs them.
//
//nolint:paralleltest // it sets the environment
func TestCommandsForAccounts(t *testing.T) {
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	for name, value := range map[string]string{
		"MONGODB_URI": mongotest.URI(t) + db.Name(), "JWT_SECRET_KEY": "q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "BCRYPT_ROUNDS": "4", "NODE_ENV": "production",
	} {
		t.Setenv(name, value)
	}
	const usage = "api admin create EMAIL"
	for _, step := range []struct {
		args           string
		code           int
		stdout, stderr string // patterns
	}{
		{"admin", lifecycle.ExitBadConfig, "^$", usage},
		{"admin create", lifecycle.ExitBadConfig, "^$", usage},
		{"admin remove an@example.com", lifecycle.ExitBadConfig, "^$", usage},
		{"admin grant an@example.com --password-stdin", lifecycle.ExitBadConfig, "^$", usage},
		{"sessions create an@example.com", lifecycle.ExitBadConfig, "^$", usage},
		{"admin grant an@example.com", lifecycle.ExitFailed, "^$", `no account has the address or id "an@example.com"`},
		{"admin create an", lifecycle.ExitFailed, "^$", `"email" must be a valid email`},
		{"admin create an@example.com", lifecycle.ExitOK, "^an@example.com is an administrator.\npassword: [A-Z2-7]{26}\n$", "^$"},
		{"admin create An@Example.com", lifecycle.ExitFailed, "^$", "An@Example.com has an account; make it an administrator's with: api admin grant An@Example.com"},
		{"admin create binh@example.com --password-stdin", lifecycle.ExitOK, "^binh@example.com is an administrator.\n$", "^$"},
		{"admin grant BINH@example.com", lifecycle.ExitOK, "^binh@example.com is an administrator.\n$", "^$"},
		{"sessions end AN@example.com", lifecycle.ExitOK, "^All sessions of an@example.com have ended.\n$", "^$"},
		{"sessions end nobody@example.com", lifecycle.ExitFailed, "^$", "no account has"},
	} {
		var stdout, stderr buffer
		code := accounts(t.Context(), strings.Fields(step.args), strings.NewReader("a password of mine\r\nmore"), &stdout, &stderr)
		if code != step.code || !regexp.MustCompile(step.stdout).MatchString(stdout.String()) || !regexp.MustCompile(step.stderr).MatchString(stderr.String()) {
			t.Errorf("api %s: exit code %d, want %d; stdout %q, stderr %q", step.args, code, step.code, stdout.String(), stderr.String())
		}
	}
	if n, err := db.Collection(schema.Users).CountDocuments(t.Context(), bson.M{"role": "ADMIN"}); n != 2 || err != nil {
		t.Errorf("%d administrators, %v, want 2", n, err)
	}
}
