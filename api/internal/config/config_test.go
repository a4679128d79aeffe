package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/api/internal/config"
	settings "github.com/etrainer/backend/pkg/config"
)

const secret = "q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe"

// load reads a configuration from the variables alone.
func load(variables map[string]string) (config.Config, error) {
	var cfg config.Config
	err := settings.Load(&cfg, settings.Options{Environment: variables})
	return cfg, err
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := load(map[string]string{"JWT_SECRET_KEY": secret, "MONGODB_URI": "mongodb://h/etrainer"})
	if err != nil {
		t.Fatal(err)
	}
	zone, err := cfg.Zone()
	if err != nil || zone.String() != "Asia/Ho_Chi_Minh" {
		t.Errorf("zone = %v, %v", zone, err)
	}
	got := []any{
		cfg.Address(), cfg.Level(), time.Duration(cfg.JWTExpiresIn), time.Duration(cfg.JWTRefreshExpires), cfg.BcryptRounds,
		cfg.AllowedOrigins, len(cfg.TrustedProxies), cfg.BodyLimit, cfg.Shutdown, cfg.DrainDelay, cfg.JobsCollection, cfg.Redis.Configured(),
		cfg.RateLimitWindow(), cfg.RateLimitMax, cfg.AuthLimitMax, cfg.UploadLimitMax, cfg.StrictLimitMax,
	}
	want := []any{
		":8080", "debug", time.Hour, 7 * 24 * time.Hour, 10,
		[]string{"http://localhost:5173", "http://localhost:8081"},
		0, int64(10 << 20), 30 * time.Second, time.Duration(0), "agendaJobs", false,
		15 * time.Minute, 100, 10, 20, 5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestOtherNamesAndForms(t *testing.T) {
	t.Parallel()
	cfg, err := load(map[string]string{
		"JWT_SECRET": secret, "MONGODB_URI": "mongodb://h/etrainer", "NODE_ENV": "production", "REDIS_HOST": "cache",
		"ALLOWED_ORIGINS": " https://a.example , http://localhost:3000 ", "TRUSTED_PROXIES": "10.0.0.0/8,::1", "JWT_EXPIRES_IN": "7d",
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.JWTSecret.Reveal() != secret || cfg.Level() != "info" || !cfg.Redis.Configured() || cfg.JWTExpiresIn.String() != "1w" {
		t.Errorf("configuration = %+v", cfg)
	}
	if diff := cmp.Diff([]string{"https://a.example", "http://localhost:3000"}, cfg.AllowedOrigins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for host, want := range map[string][2]string{
		"":          {":8080", "127.0.0.1:8080"},
		"0.0.0.0":   {"0.0.0.0:8080", "127.0.0.1:8080"},
		"::":        {"[::]:8080", "127.0.0.1:8080"},
		"127.0.0.1": {"127.0.0.1:8080", "127.0.0.1:8080"},
		"10.0.0.5":  {"10.0.0.5:8080", "10.0.0.5:8080"},
	} {
		cfg, err := load(map[string]string{"JWT_SECRET_KEY": secret, "MONGODB_URI": "mongodb://h/etrainer", "API_HOST": host})
		if got := [2]string{cfg.Address(), cfg.LocalAddress()}; err != nil || got != want {
			t.Errorf("API_HOST=%q: listens on and is asked at %q, %v; want %q", host, got, err, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		variable, value string
		want            string
	}{
		"no secret":           {"JWT_SECRET_KEY", "", "JWT_SECRET_KEY is not set: "},
		"short secret":        {"JWT_SECRET_KEY", "q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0Y", "JWT_SECRET_KEY has 31 bytes, and needs 32: "},
		"template's secret":   {"JWT_SECRET_KEY", "your_super_secret_jwt_key_here_min_32_chars", "JWT_SECRET_KEY is a placeholder that anybody can guess: "},
		"capitals":            {"JWT_SECRET_KEY", "CHANGE-ME-CHANGE-ME-CHANGE-ME-1234", "JWT_SECRET_KEY is a placeholder"},
		"one letter":          {"JWT_SECRET_KEY", strings.Repeat("a", 64), "JWT_SECRET_KEY is a placeholder"},
		"few letters":         {"JWT_SECRET_KEY", strings.Repeat("abc", 20), "JWT_SECRET_KEY is a placeholder"},
		"development's":       {"JWT_SECRET_KEY", "development-only-9f8e7d6c5b4a39281706", "JWT_SECRET_KEY is a placeholder"},
		"its own name":        {"JWT_REFRESH_SECRET", "my_Jwt_Secret_Key_0123456789abcdefgh", "JWT_REFRESH_SECRET is a placeholder"},
		"one part, twice":     {"JWT_SECRET_KEY", "q8Zt2vXw9Lr5Nb7Kd3q8Zt2vXw9Lr5Nb7Kd3", "JWT_SECRET_KEY is a placeholder"},
		"short second secret": {"JWT_REFRESH_SECRET", "q8Zt2vXw9Lr5", "JWT_REFRESH_SECRET has 12 bytes, and needs 32: "},
		"port":                {"PORT", "70000", `PORT is "70000", which is out of range: set it to a number from 1 to 65535`},
		"host":                {"API_HOST", "api.example.com", `API_HOST is "api.example.com", which is not an address of this machine: `},
		"port as text":        {"PORT", "http", `PORT is "http", which is not a whole number`},
		"level":               {"LOG_LEVEL", "silly", `LOG_LEVEL is "silly", which is unknown: set it to debug, info, warn or error`},
		"no database":         {"MONGODB_URI", "", "MONGODB_URI is not set"},
		"odd database":        {"MONGODB_URI", "http://h", "MONGODB_URI cannot be used: begin it with mongodb://"},
		"odd Redis":           {"REDIS_URL", "http://:hunter2@h", "REDIS_URL is not a Redis address: "},
		"odd Google":          {"GOOGLE_USERINFO_URL", "google.test", `GOOGLE_USERINFO_URL is "google.test", which is not an address: leave it empty, or`},
		"star":                {"ALLOWED_ORIGINS", "*", `ALLOWED_ORIGINS is "*", which is not an origin: `},
		"origin with a path":  {"ALLOWED_ORIGINS", "https://a.example/", `ALLOWED_ORIGINS is "https://a.example/", which is not an origin`},
		"proxy":               {"TRUSTED_PROXIES", "10.0.0.0/8,nginx", `TRUSTED_PROXIES is "nginx", which is neither an address nor a network`},
		"rounds":              {"BCRYPT_ROUNDS", "20", `BCRYPT_ROUNDS is "20", which is out of range: set it to a number from 4 to 15`},
		"body limit":          {"BODY_LIMIT", "0", `BODY_LIMIT is "0", which is out of range`},
		"lifetime":            {"JWT_EXPIRES_IN", "3600", `JWT_EXPIRES_IN is "3600", which cannot be used: write a number with a unit, such as 15m, 1h or 7d`},
		"no lifetime":         {"JWT_EXPIRES_IN", "0h", `JWT_EXPIRES_IN is "0h", which cannot be used: choose a time from 1s to 366d`},
		"endless":             {"JWT_REFRESH_EXPIRES_IN", "60w", "choose a time from 1s to 366d"},
		"wrong order":         {"JWT_EXPIRES_IN", "8d", `JWT_REFRESH_EXPIRES_IN is "1w", which is shorter than JWT_EXPIRES_IN`},
		"grace":               {"API_SHUTDOWN_TIMEOUT", "-1s", `API_SHUTDOWN_TIMEOUT is "-1s", which is negative`},
		"delay":               {"API_DRAIN_DELAY", "soon", `API_DRAIN_DELAY is "soon", which is not a duration`},
		"zone":                {"JOBS_TIMEZONE", "Mars/Base", `JOBS_TIMEZONE is "Mars/Base", which is not a known time zone`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			variables := map[string]string{"JWT_SECRET_KEY": secret, "MONGODB_URI": "mongodb://h/etrainer"}
			variables[test.variable] = test.value
			_, err := load(variables)
			if !errors.Is(err, settings.ErrConfig) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
			if n := strings.Count(err.Error(), "\n  - "); n != 1 {
				t.Errorf("%d mistakes are reported, want one: %v", n, err)
			}
			shown := strings.Contains(test.variable, "SECRET") && test.value != "" && strings.Contains(err.Error(), test.value)
			if shown || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// TestGoogleIsAskedOverTLS in production, but for a stand-in on this machine.
func TestGoogleIsAskedOverTLS(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]map[string]bool{
		"https://google.example/userinfo": {"production": true, "development": true},
		"http://127.0.0.1:9000/userinfo":  {"production": true, "development": true},
		"http://[::1]:9000/userinfo":      {"production": true, "development": true},
		"http://localhost/userinfo":       {"production": true, "development": true},
		"http://google.example/userinfo":  {"production": false, "development": true},
		"http://10.0.0.5/userinfo":        {"production": false, "development": true},
	} {
		for environment, accepted := range want {
			_, err := load(map[string]string{
				"JWT_SECRET_KEY": secret, "MONGODB_URI": "mongodb://h/etrainer", "NODE_ENV": environment, "GOOGLE_TOKENINFO_URL": address,
			})
			if accepted != (err == nil) || err != nil && !strings.Contains(err.Error(), "unencrypted") {
				t.Errorf("%s in %s: %v", address, environment, err)
			}
		}
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(map[string]string{"PORT": "0", "BCRYPT_ROUNDS": "x", "ALLOWED_ORIGINS": "a,b"})
	for _, want := range []string{"PORT", "BCRYPT_ROUNDS", "JWT_SECRET_KEY", "MONGODB_URI", `ALLOWED_ORIGINS is "a"`, `ALLOWED_ORIGINS is "b"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s in it", err, want)
		}
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "15m": 15 * time.Minute, "1h": time.Hour, "1.5h": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "2 w": 14 * 24 * time.Hour, "366d": 366 * 24 * time.Hour,
	} {
		var got config.Lifetime
		if err := got.UnmarshalText([]byte(text)); err != nil || time.Duration(got) != want {
			t.Errorf("%q = %v, %v, want %v", text, time.Duration(got), err, want)
		}
		written, err := got.MarshalText()
		var again config.Lifetime
		if err := errors.Join(err, again.UnmarshalText(written)); err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %v, %v", text, written, time.Duration(again), err)
		}
	}
	for _, text := range []string{"", "h", "1", "1y", "-1h", "1h30m", "0s", "1e9h", "367d"} {
		if err := new(config.Lifetime).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
