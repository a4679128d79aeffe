package web

import (
	"bytes"
	"encoding/json"
	"net/url"
	"sort"
	"strings"

	"github.com/etrainer/backend/pkg/errs"
)

// The bounds of a form, as in the qs library that Express reads forms with.
const (
	maxFormFields = 1000
	maxFormDepth  = 5
)

// formObject turns an urlencoded form into a JSON object. Values are strings.
// Brackets nest, as in Express's extended forms: data[user]=7 is
// {"data":{"user":"7"}}, and tag[]=a&tag[]=b or a repeated tag is an array.
func formObject(text []byte) ([]byte, error) {
	if text[0] == '{' {
		return nil, errs.Invalid("", "the body looks like JSON, but its Content-Type says that it is a form; send Content-Type: application/json")
	}
	if bytes.Count(text, []byte("&")) >= maxFormFields {
		return nil, errs.Invalid("", "the form has more than %d fields; send application/json", maxFormFields)
	}
	fields, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, errs.Invalid("", "the form cannot be read: a %% or a ; in it is not escaped")
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names) // the order decides when two names contradict each other
	object := map[string]any{}
	for _, name := range names {
		path, isList := formPath(name)
		if !put(object, path, formValue(fields[name], isList)) {
			return nil, errs.Invalid(name, "the form field %q contradicts another one; a field is either text or has parts", name)
		}
	}
	return json.Marshal(object)
}

// formPath splits data[user][id] into its parts. What is not well formed, or
// deeper than maxFormDepth, stays part of the name.
func formPath(name string) (path []string, isList bool) {
	name, isList = strings.CutSuffix(name, "[]")
	head, rest, nested := strings.Cut(name, "[")
	if !nested || head == "" || !strings.HasSuffix(rest, "]") {
		return []string{name}, isList
	}
	return append([]string{head}, strings.SplitN(strings.TrimSuffix(rest, "]"), "][", maxFormDepth)...), isList
}

func formValue(values []string, isList bool) any {
	if len(values) == 1 && !isList {
		return values[0]
	}
	return values
}

// put stores a value under a path, and reports whether nothing was in the way.
func put(object map[string]any, path []string, value any) bool {
	for _, part := range path[:len(path)-1] {
		inner, exists := object[part]
		if !exists {
			inner = map[string]any{}
			object[part] = inner
		}
		nested, ok := inner.(map[string]any)
		if !ok {
			return false
		}
		object = nested
	}
	last := path[len(path)-1]
	if _, exists := object[last]; exists {
		return false
	}
	object[last] = value
	return true
}
