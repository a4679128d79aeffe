package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/pkg/errs"
)

// Decode reads the body of a request into a T, which is a struct whose fields
// have json tags. As in the Node backend the body is JSON or an urlencoded
// form, an absent one counts as {}, and fields that T does not have are
// ignored. Names of fields match letter by letter.
//
// Failures are *errs.Error of kind Invalid or TooLarge. A field of the wrong
// type is refused, never converted, so an object such as {"$gt": ""} cannot
// stand where a filter expects text.
func Decode[T any](c *gin.Context) (T, error) {
	var value T
	object, err := readObject(c.Request)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(exact(object, reflect.TypeFor[T]()), &value); err != nil {
		return value, wrongType(err)
	}
	return value, nil
}

// readObject returns the body as the text of one JSON object.
func readObject(r *http.Request) ([]byte, error) {
	text, err := readAll(r)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	if len(text) == 0 {
		return []byte("{}"), nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Header.Get("Content-Type") == "", kind == "application/json", strings.HasSuffix(kind, "+json"):
		return text, checkObject(text)
	case kind == "application/x-www-form-urlencoded":
		return formObject(text)
	case err != nil:
		return nil, errs.Invalid("", "the header Content-Type cannot be read; send application/json")
	default:
		return nil, errs.Invalid("", "the body has the Content-Type %s; send application/json", kind)
	}
}

func readAll(r *http.Request) ([]byte, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, errs.Invalid("", "the body has a Content-Encoding; send it uncompressed")
	}
	text, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, TooLarge(tooLarge.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, ErrSlowBody
	}
	if err != nil {
		return nil, errs.Wrap(errs.KindInvalid, err, "the body ended before it was complete; send it again")
	}
	return text, nil
}

// ErrSlowBody is the failure of a body that did not arrive in time. The
// connection ends with it.
var ErrSlowBody = errors.New("the body came too slowly")

// TooLarge is the failure of a body over a limit in bytes.
func TooLarge(limit int64) error {
	return errs.Newf(errs.TooLarge, "request entity too large: the body may have at most %d bytes; send less", limit)
}

// checkObject refuses what is not one JSON object, and says what it is.
func checkObject(text []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	switch syntax, ok := errors.AsType[*json.SyntaxError](err); {
	case ok:
		return errs.Invalid("", "the body is malformed JSON at byte %d: %s", syntax.Offset, syntax)
	case err != nil:
		return errs.Wrap(errs.KindInvalid, err, "the body is malformed JSON")
	case text[0] != '{':
		return errs.Invalid("", "the body must be a JSON object, not %s; send {…}", kindOf(text))
	default:
		return nil
	}
}

// kindOf names the JSON type of a value by its first byte.
func kindOf(text []byte) string {
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// KindOf names the JSON type of a value, with its article: "an object".
func KindOf(value json.RawMessage) string {
	text := bytes.TrimSpace(value)
	if len(text) == 0 {
		return "nothing"
	}
	return kindOf(text)
}

// wrongType names the field and both types.
func wrongType(err error) error {
	if mistake, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		given, _, _ := strings.Cut(mistake.Value, " ") // "number 1.5" names the value as well
		return errs.Invalid(mistake.Field, "%q must be %s, not %s", mistake.Field, article(jsonName(mistake.Type)), article(given))
	}
	if invalid, ok := errors.AsType[*errs.Error](err); ok {
		return invalid
	}
	return errs.Wrap(errs.KindInvalid, err, "the body cannot be read; check the types of its fields")
}

// jsonName is the JSON word for a Go type.
func jsonName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	default:
		return "number"
	}
}

func article(word string) string {
	switch word {
	case "bool":
		word = "boolean"
	case "null":
		return word
	}
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return fmt.Sprintf("a %s", word)
}
