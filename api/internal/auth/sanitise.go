package auth

import "regexp"

// What the input sanitiser of the Node backend removed from every string. `\s`
// is written out because JavaScript's covers all of Unicode.
var (
	scriptElement = regexp.MustCompile(`(?is)<script\b.*?</script>`)
	scriptURL     = regexp.MustCompile(`(?i)javascript:`)
	eventHandler  = regexp.MustCompile(`(?i)on\w+[\s\v\x{feff}\p{Z}]*=`)
)

// sanitise returns a password as the Node backend hashed it: its sanitiser ran
// twice over the bodies of /api/auth. "conversation=3" became "c3".
func sanitise(text string) string {
	for range 2 {
		text = scriptElement.ReplaceAllString(text, "")
		text = scriptURL.ReplaceAllString(text, "")
		text = eventHandler.ReplaceAllString(text, "")
	}
	return text
}
