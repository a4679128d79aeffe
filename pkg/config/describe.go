package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/etrainer/backend/pkg/redact"
)

// Entry describes one variable of a configuration.
type Entry struct {
	Name     string
	Aliases  []string // other names that work
	Value    string   // as it stands in the struct; secrets masked
	Default  string
	Help     string
	Unit     string
	Example  string
	Required bool
	Secret   bool
	// Suggested: the template sets it, to Production, and not to its default.
	Suggested  bool
	Production string
}

// Describe lists the variables of the struct that target points to, in the
// order of its fields. It serves the start-up print, and Template. It panics if
// target is not a pointer to a struct.
func Describe(target any) []Entry {
	fields, err := fieldsOf(target)
	if err != nil {
		panic(err)
	}
	out := make([]Entry, 0, len(fields))
	for _, f := range fields {
		out = append(out, Entry{
			Name: f.names[0], Aliases: f.names[1:],
			Value: f.show(), Default: f.fallback,
			Help: f.help, Unit: f.unit, Example: f.example,
			Required: f.required, Secret: f.secret(),
			Suggested: f.suggested, Production: f.production,
		})
	}
	return out
}

// show returns the value as it would stand in the environment.
func (f field) show() string {
	switch {
	case isText(f.value) && f.value.IsZero():
		return ""
	case f.secret():
		return redact.Mask
	case isList(f.kind.Type):
		each := make([]string, f.value.Len())
		for i := range each {
			each[i] = plain(f.value.Index(i))
		}
		return redact.Text(strings.Join(each, ","))
	default:
		return redact.Text(plain(f.value))
	}
}

func isText(v reflect.Value) bool { return v.Kind() == reflect.String || v.Kind() == reflect.Pointer }

func plain(v reflect.Value) string {
	if marshaler, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		if text, err := marshaler.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v.Interface())
}
