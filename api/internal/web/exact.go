package web

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// exact removes the keys of a JSON object that are a field of a struct but for
// capitals. encoding/json would take them for the field, and whoever looks at a
// body on the way, as Node does, would see another value than we do. Objects in
// fields are looked through as well. A value of another type stays as it is: it is
// refused later.
func exact(text json.RawMessage, t reflect.Type) json.RawMessage {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(unmarshaler) {
		return text
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return text
	}
	fields := fieldsOf(t)
	changed := false
	for key, value := range object {
		field, named := fields[key]
		if !named && !like(key, fields) {
			continue
		}
		if !named {
			delete(object, key)
			changed = true
		} else if inner := exact(value, field); !bytes.Equal(inner, value) {
			object[key] = inner
			changed = true
		}
	}
	if !changed {
		return text
	}
	cleaned, err := json.Marshal(object)
	if err != nil {
		return text // it was JSON a moment ago
	}
	return cleaned
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// fieldsOf returns the types of the fields of a struct by their JSON names.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = field.Type
		}
	}
	return fields
}

// like reports whether a key is the name of a field but for capitals.
func like(key string, fields map[string]reflect.Type) bool {
	for name := range fields {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}
