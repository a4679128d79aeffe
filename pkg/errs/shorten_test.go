package errs_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/etrainer/backend/pkg/errs"
)

func TestShorten(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                            "",
		strings.Repeat("a", 80):       strings.Repeat("a", 80),
		strings.Repeat("a", 81):       strings.Repeat("a", 77) + "…",
		"a" + strings.Repeat("é", 50): "a" + strings.Repeat("é", 38) + "…",
		"\xff" + "a":                  "\uFFFDa",
		"a\xc3":                       "a\uFFFD",
	} {
		if got := errs.Shorten(given); got != want {
			t.Errorf("Shorten(%q) = %q, want %q", given, got, want)
		}
	}
}

func FuzzShortenTo(f *testing.F) {
	f.Add("naïve", 5)
	f.Add("\xff\xfe", 3)
	f.Add("日本語", 4)
	f.Fuzz(func(t *testing.T, text string, most int) {
		if most < len("…") || most > 1000 {
			return
		}
		got := errs.ShortenTo(text, most)
		if len(got) > most || !utf8.ValidString(got) {
			t.Errorf("ShortenTo(%q, %d) = %q", text, most, got)
		}
		if utf8.ValidString(text) && len(text) <= most && got != text {
			t.Errorf("ShortenTo(%q, %d) = %q, want it whole", text, most, got)
		}
	})
}
