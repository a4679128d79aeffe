package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/config"
)

func TestSecretShowsItselfNowhere(t *testing.T) {
	t.Parallel()
	const text = "hunter2"
	secret := config.Secret(text)
	nested := struct {
		Key  config.Secret
		Keys []config.Secret
		Map  map[string]*config.Secret
	}{secret, []config.Secret{secret}, map[string]*config.Secret{"key": &secret}}

	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s"} {
		shown[verb] = fmt.Sprintf(verb, secret)
		shown["nested "+verb] = fmt.Sprintf(verb, nested)
	}
	for name, value := range map[string]any{"json": secret, "nested json": nested} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		shown[name] = string(encoded)
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("start", slog.Any("key", secret), slog.Any("all", nested))
		shown[name] = b.String()
	}
	for how, got := range shown {
		if strings.Contains(strings.ToLower(got), text) || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", text)) {
			t.Errorf("%s shows the secret: %s", how, got)
		}
	}
	if got := shown["%v"]; got != "[hidden]" {
		t.Errorf("%%v = %q, want the mask", got)
	}
	if secret.Reveal() != text {
		t.Error("Reveal does not return the text")
	}
	if got := config.Secret("").String(); got != "" {
		t.Errorf("an empty secret prints as %q, want nothing", got)
	}
}
