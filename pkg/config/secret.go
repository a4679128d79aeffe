package config

import (
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/redact"
)

// Secret is text that shows itself to nobody but the caller of Reveal: it
// prints, logs and encodes as a mask, or as nothing if it is empty. Do not make
// it the key of a map: encoding/json shows keys that are strings.
type Secret string

// Reveal returns the text. Pass it only to what needs it.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redact.Mask
}

// GoString returns the mask, for %#v.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// Format prints the mask for every verb, so that %x does not show the text.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	// A failed write is the printer's to notice.
	_, _ = f.Write([]byte(text))
}

// MarshalText encodes the mask; encoding/json uses MarshalJSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON encodes the mask.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue logs the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
