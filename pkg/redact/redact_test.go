package redact_test

import (
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/redact"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                                               "",
		"no address at all":                              "no address at all",
		"mail to a@b.example":                            "mail to a@b.example",
		"mongodb://127.0.0.1:27017/db":                   "mongodb://127.0.0.1:27017/db",
		"https://example.com/@user":                      "https://[hidden]@user", // too much rather than too little
		"mongodb://u:p@host/db":                          "mongodb://[hidden]@host/db",
		"MongoDB+SRV://u:p@host/?w=1":                    "MongoDB+SRV://[hidden]@host/?w=1",
		"redis://:p@host:6379/0":                         "redis://[hidden]@host:6379/0",
		"mongodb://u:p@ss/w:rd@host/db":                  "mongodb://[hidden]@host/db",
		`dial "redis://u:p@h": refused`:                  `dial "redis://[hidden]@h": refused`,
		"from redis://u:p@a to b://c:d@e":                "from redis://[hidden]@a to b://[hidden]@e",
		"https://h/x?token=abc&page=2":                   "https://h/x?token=[hidden]&page=2",
		"mongodb://h/?tlsCertificateKeyFilePassword=abc": "mongodb://h/?tlsCertificateKeyFilePassword=[hidden]",
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			if got := redact.Text(in); got != want {
				t.Errorf("Text(%q) = %q, want %q", in, got, want)
			}
		})
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	secret := []string{
		"password", "Password", "MONGODB_ATLAS_PASSWORD", "atlasPassword", "JWT_SECRET_KEY", "jwt",
		"secret", "access_token", "refreshToken", "expo_push_tokens", "Authorization", "Set-Cookie",
		"CLOUDINARY_API_KEY", "apiKey", "private.key", "FIREBASE_PRIVATE_KEY",
	}
	for _, name := range secret {
		if !redact.Key(name) {
			t.Errorf("Key(%q) = false, want true", name)
		}
	}
	open := []string{"", "_", "key", "job_name", "tokenizer", "keys", "api", "secretary", "passwordless", "JWT_EXPIRES_IN", "idempotency_key", "PORT"}
	for _, name := range open {
		if redact.Key(name) {
			t.Errorf("Key(%q) = true, want false", name)
		}
	}
}

func FuzzTextHidesThePassword(f *testing.F) {
	f.Add("p@ss/w:rd")
	f.Add("%40")
	f.Add("a?b&c=d")
	f.Fuzz(func(t *testing.T, password string) {
		if strings.ContainsAny(password, " \t\r\n\v\f\"'<>") || password == "" {
			t.Skip("cannot stand in an address")
		}
		const marker = "XYZZY"
		got := redact.Text("connect to mongodb://user:" + marker + password + "@host:1/db now")
		if strings.Contains(got, marker) {
			t.Errorf("the password shows: %q", got)
		}
	})
}
