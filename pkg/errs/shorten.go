package errs

import (
	"strings"
	"unicode/utf8"
)

// maxInput is how many bytes of an input a message repeats.
const maxInput = 80

// Shorten is what a message repeats of an input: at most 80 bytes of it.
func Shorten(text string) string { return ShortenTo(text, maxInput) }

// ShortenTo returns at most so many bytes of a text. What it returns is valid
// UTF-8, since databases refuse other text, and ends in "…" where it was cut.
func ShortenTo(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	const mark = "…"
	end := max(0, most-len(mark))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
