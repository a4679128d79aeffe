package uploads

import (
	"encoding/json"
	"strconv"

	"github.com/etrainer/backend/pkg/errs"
)

// readNumber reads a whole number from 1 on, which forms send as text; absent or
// null = 0.
func readNumber(field string, given json.RawMessage) (int, error) {
	if len(given) == 0 || string(given) == "null" {
		return 0, nil
	}
	var plain string
	if json.Unmarshal(given, &plain) != nil {
		plain = string(given)
	}
	value, err := strconv.Atoi(plain)
	if err != nil || value < 1 {
		return 0, errs.Invalid(field, "%s %q is not a whole number from 1 on", field, errs.Shorten(plain))
	}
	return value, nil
}

// text is text, or a number that stands for it: quality 80.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(given []byte) error {
	var plain string
	if json.Unmarshal(given, &plain) == nil {
		*t = text(plain)
		return nil
	}
	if _, err := strconv.Atoi(string(given)); err != nil {
		return errs.Invalid("quality", "quality must be text such as auto:good, or a number from 1 to 100")
	}
	*t = text(given)
	return nil
}
