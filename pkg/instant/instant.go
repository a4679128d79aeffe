// Package instant writes points in time as JavaScript's Date.toISOString does:
// ISO 8601, in UTC, to the millisecond.
package instant

import "time"

// Text is the text of t, such as 2025-08-04T02:05:00.000Z.
func Text(t time.Time) string {
	var text [32]byte
	return string(Append(text[:0], t))
}

// Append adds the text of t. What is below a millisecond is cut off.
func Append(text []byte, t time.Time) []byte {
	t = t.UTC()
	text = t.AppendFormat(text, time.RFC3339) // which package time writes three times as fast as other layouts
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(text[:len(text)-len("Z")], '.', digit(ms/100), digit(ms/10), digit(ms), 'Z')
}

func digit(n int) byte { return byte('0' + n%10) }
