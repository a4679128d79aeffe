package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// decode reads the value of a field, which is text or what a file of another
// format gave, into a new value of the field's type.
func (f field) decode(layers *viper.Viper) (reflect.Value, error) {
	into := reflect.New(f.kind.Type)
	err := layers.UnmarshalKey(f.names[0], into.Interface(), func(c *mapstructure.DecoderConfig) {
		c.DecodeHook = mapstructure.ComposeDecodeHookFunc(
			readShape,
			mapstructure.TextUnmarshallerHookFunc(),
			mapstructure.StringToTimeDurationHookFunc(),
			readScalar,
		)
	})
	for named := new(mapstructure.DecodeError); errors.As(err, &named); {
		err = named.Unwrap() // whose text names a Go field, and nothing here has one
	}
	return into.Elem(), err
}

// shapeError is a value of a file that is something else than the variable holds.
type shapeError struct{ is, belongs, mend string }

func (e shapeError) Error() string { return "is " + e.is + ", where " + e.belongs + " belongs" }

// readShape makes text of the values of a file that are not, and a list of the
// text of a list. Only quotes keep text that looks like a number or a date as it
// was written, so text is not made of these.
func readShape(_, to reflect.Type, data any) (any, error) {
	var is, text string
	switch value := data.(type) {
	case string:
		if isList(to) {
			return list(strings.Split(value, ",")), nil
		}
		return value, nil
	case []any:
		if !isList(to) {
			return nil, shapeError{"a list", "one value", "write one value"}
		}
		return list(value), nil
	case map[string]any, map[any]any:
		return nil, shapeError{"a group of names", "a value", "write each variable as a name of its own, as in the environment"}
	case bool:
		is, text = "a truth value", strconv.FormatBool(value)
	case float64:
		is, text = "a number", strconv.FormatFloat(value, 'f', -1, 64)
	case int, int64, uint64:
		is, text = "a number", fmt.Sprint(value)
	case encoding.TextMarshaler: // time.Time, and the dates of TOML
		written, err := value.MarshalText()
		if err != nil {
			return nil, err
		}
		is, text = "a date", string(written)
	default:
		return data, nil
	}
	if to.Kind() == reflect.String && !readsText(to) {
		return nil, shapeError{is, "text", "put quotes around it"}
	}
	if isList(to) {
		return []any{data}, nil
	}
	return text, nil
}

// list drops the white space around the elements of a list, and empty elements.
func list[T any](elements []T) []any {
	kept := make([]any, 0, len(elements))
	for _, each := range elements {
		element := any(each)
		if text, ok := element.(string); ok {
			element = strings.TrimSpace(text)
		}
		if element != nil && element != "" {
			kept = append(kept, element)
		}
	}
	return kept
}

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice && !readsText(t) }

func readsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

var locationType = reflect.TypeFor[*time.Location]()

// readScalar reads numbers in base ten alone: the hooks of mapstructure read 010
// as 8.
func readScalar(_, to reflect.Type, data any) (any, error) {
	text, ok := data.(string)
	if !ok {
		return data, nil
	}
	value := reflect.New(to).Elem()
	switch kind := to.Kind(); {
	case kind == reflect.Bool:
		truth, err := strconv.ParseBool(text)
		return truth, err
	case value.CanInt():
		number, err := strconv.ParseInt(text, 10, to.Bits())
		return number, err
	case value.CanUint():
		number, err := strconv.ParseUint(text, 10, to.Bits())
		return number, err
	case value.CanFloat():
		number, err := strconv.ParseFloat(text, to.Bits())
		return number, err
	case to == locationType:
		location, err := time.LoadLocation(text) //nolint:forbidigo // programs have schedule.ParseZone; this is for a field that is a time.Location
		if err != nil {
			return nil, fmt.Errorf("unable to parse location: %w", err)
		}
		return location, nil
	}
	return data, nil
}

// settable reports whether text can be read into the type.
func settable(t reflect.Type) bool {
	switch kind := t.Kind(); {
	case readsText(t) || t == locationType || kind == reflect.String || kind == reflect.Bool:
		return true
	case kind == reflect.Slice:
		return settable(t.Elem())
	default:
		v := reflect.New(t).Elem()
		return v.CanInt() || v.CanUint() || v.CanFloat()
	}
}
