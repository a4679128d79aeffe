package job

import (
	"bytes"
	"math"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Difference compares the meaning of two values of payloads: the order of keys and
// the type of a number do not count, and a missing value is null. It returns the
// path of the first thing that differs, such as "user.tags.0" ("" = the whole), and
// whether anything does.
func Difference(a, b bson.RawValue) (path string, differ bool) {
	if isNull(a) || isNull(b) {
		return "", isNull(a) != isNull(b)
	}
	if isNumber(a) && isNumber(b) {
		return "", !sameNumber(a, b)
	}
	if a.Type != b.Type {
		return "", true
	}
	if a.Type != bson.TypeEmbeddedDocument && a.Type != bson.TypeArray {
		return "", !bytes.Equal(a.Value, b.Value)
	}
	return differenceWithin(bson.Raw(a.Value), bson.Raw(b.Value))
}

// differenceWithin compares two documents or two arrays, whose keys are numbers.
func differenceWithin(a, b bson.Raw) (path string, differ bool) {
	left, errLeft := a.Elements()
	right, errRight := b.Elements()
	if errLeft != nil || errRight != nil {
		return "", !bytes.Equal(a, b)
	}
	others := make(map[string]bson.RawValue, len(right))
	for _, element := range right {
		others[element.Key()] = element.Value()
	}
	for _, element := range left {
		key := element.Key()
		other, ok := others[key]
		if !ok {
			return key, true
		}
		delete(others, key)
		if below, differ := Difference(element.Value(), other); differ {
			if below != "" {
				key += "." + below
			}
			return key, true
		}
	}
	for _, element := range right {
		if _, ok := others[element.Key()]; ok {
			return element.Key(), true
		}
	}
	return "", false
}

func isNull(v bson.RawValue) bool { return v.Type == 0 || v.Type == bson.TypeNull }

func isNumber(v bson.RawValue) bool {
	return v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64 || v.Type == bson.TypeDouble
}

// sameNumber compares whole numbers to the last digit, which doubles do not have.
func sameNumber(a, b bson.RawValue) bool {
	x, wholeX := wholeNumber(a)
	y, wholeY := wholeNumber(b)
	if wholeX || wholeY {
		return wholeX && wholeY && x == y
	}
	return math.Float64bits(a.Double()) == math.Float64bits(b.Double())
}

func wholeNumber(v bson.RawValue) (int64, bool) {
	if n, ok := v.AsInt64OK(); ok && v.Type != bson.TypeDouble {
		return n, true
	}
	n, ok := v.DoubleOK()
	if !ok || n != math.Trunc(n) || n < math.MinInt64 || n >= math.MaxInt64 {
		return 0, false
	}
	return int64(n), true
}

// losesDigits reports whether a whole number, as JSON spells it, has more digits
// than a double keeps.
func losesDigits(text string, n float64) bool {
	for _, sign := range text {
		if sign != '-' && (sign < '0' || sign > '9') {
			return false // a fraction or an exponent: its writer knows doubles
		}
	}
	return strconv.FormatFloat(n, 'f', -1, 64) != text
}
