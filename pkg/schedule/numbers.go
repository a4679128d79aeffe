package schedule

import "slices"

var smallNumbers = map[string]int{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
	"eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13,
	"fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}

var tens = map[string]int{
	"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}

// numberInWords reads an English number below a thousand, such as "twenty
// five", "two hundred five" or "one point five" (the word "and" is gone by now).
// Larger numbers are not read: human-interval makes ten of "ten thousand".
func numberInWords(words []string) (float64, bool) {
	whole, decimals := words, []string(nil)
	if i := slices.Index(words, "point"); i >= 0 {
		whole, decimals = words[:i], words[i+1:]
		if len(decimals) == 0 {
			return 0, false
		}
	}
	n, ok := wholeInWords(whole)
	if !ok && (len(whole) > 0 || len(decimals) == 0) {
		return 0, false
	}
	fraction, ok := decimalsInWords(decimals)
	return float64(n) + fraction, ok
}

// wholeInWords reads [N] hundred, [tens] and [units].
func wholeInWords(words []string) (int, bool) {
	if len(words) == 0 {
		return 0, false
	}
	total := 0
	switch {
	case words[0] == "hundred":
		total, words = 100, words[1:]
	case len(words) > 1 && words[1] == "hundred":
		hundreds, ok := oneOf(words[:1], 1, 9)
		if !ok {
			return 0, false
		}
		total, words = hundreds*100, words[2:]
	}
	if len(words) > 0 && tens[words[0]] > 0 {
		total, words = total+tens[words[0]], words[1:]
		if len(words) == 0 {
			return total, true
		}
		units, ok := oneOf(words, 1, 9)
		return total + units, ok
	}
	if len(words) == 0 {
		return total, true
	}
	least := 0
	if total > 0 {
		least = 1
	}
	units, ok := oneOf(words, least, 19)
	return total + units, ok
}

// decimalsInWords reads up to two digits after "point". A second digit zero is
// not read: human-interval makes 0.01 of "point one zero".
func decimalsInWords(words []string) (float64, bool) {
	switch len(words) {
	case 0:
		return 0, true
	case 1:
		digit, ok := oneOf(words, 0, 9)
		return float64(digit) / 10, ok
	case 2:
		first, ok1 := oneOf(words[:1], 0, 9)
		second, ok2 := oneOf(words[1:], 1, 9)
		return float64(first*10+second) / 100, ok1 && ok2
	default:
		return 0, false
	}
}

// oneOf reads exactly one number word within bounds.
func oneOf(words []string, least, most int) (int, bool) {
	if len(words) != 1 {
		return 0, false
	}
	n, ok := smallNumbers[words[0]]
	return n, ok && n >= least && n <= most
}
