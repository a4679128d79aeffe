package schedule

import (
	"fmt"
	"strconv"
)

// MaxTextBytes is the longest text any parser of this package reads. It is
// cron-parser's own bound: listing every value of every field needs half of it.
const MaxTextBytes = 1024

// maxQuotedBytes bounds how much of a refused text an error message repeats.
const maxQuotedBytes = 80

// SyntaxError is returned by every parser of this package for a text that it
// refuses. Its message is one sentence that names the field, the text, the
// fault and, where one is known, the mend.
type SyntaxError struct {
	// Field is what the text was given for, in the words of the job document:
	// "repeatInterval", "repeatAt", "repeatTimezone", "when", "interval".
	Field string
	// Input is the refused text, whole.
	Input string
	// Reason says what is wrong with it.
	Reason string
	// Hint says what to write instead; it may be empty.
	Hint string
}

// Error returns the message. Long inputs are shortened in it.
func (e *SyntaxError) Error() string {
	input := e.Input
	if len(input) > maxQuotedBytes {
		input = input[:maxQuotedBytes] + "…"
	}
	message := fmt.Sprintf("%s %s: %s", e.Field, strconv.Quote(input), e.Reason)
	if e.Hint != "" {
		message += "; " + e.Hint
	}
	return message
}

// fault is why a text was refused, before it is known for which field it was
// given. A nil *fault means the text was read.
type fault struct {
	reason string
	hint   string
}

// in names the field and the text that the fault was found in.
func (f *fault) in(field, input string) *SyntaxError {
	return &SyntaxError{Field: field, Input: input, Reason: f.reason, Hint: f.hint}
}

func faultf(hint, format string, args ...any) *fault {
	return &fault{reason: fmt.Sprintf(format, args...), hint: hint}
}

// tooLong refuses texts over MaxTextBytes before anything looks at them.
func tooLong(text string) *fault {
	if len(text) <= MaxTextBytes {
		return nil
	}
	return faultf("", "is %d bytes long; at most %d are read", len(text), MaxTextBytes)
}

// quoteShort quotes a part of a text for an error message.
func quoteShort(text string) string {
	if len(text) > maxQuotedBytes {
		text = text[:maxQuotedBytes] + "…"
	}
	return strconv.Quote(text)
}
