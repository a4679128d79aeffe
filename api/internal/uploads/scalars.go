package uploads

import (
	"encoding/json"
	"strconv"

	"github.com/etrainer/backend/pkg/errs"
)

// number is a whole number from 1 on, also as text: forms have nothing else.
type number int

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(given []byte) error {
	var plain string
	if json.Unmarshal(given, &plain) != nil {
		plain = string(given)
	}
	value, err := strconv.Atoi(plain)
	if err != nil || value < 1 {
		return errs.Invalid("", "width and height must be whole numbers from 1 on")
	}
	*n = number(value)
	return nil
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
