package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/redact"
)

// field is one variable of a configuration struct.
type field struct {
	goName   string
	names    []string // the variable, then its other names
	help     string
	unit     string
	example  string
	fallback string // the default
	required bool
	// suggested: the template sets it, to production.
	suggested  bool
	production string
	value      reflect.Value
	kind       reflect.StructField
	mistake    string // of the struct; "" = none
}

var secretType = reflect.TypeFor[Secret]()

// fieldsOf lists the variables of the struct that target points to, in the
// order of its fields.
func fieldsOf(target any) ([]field, error) {
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("the configuration has to be a pointer to a struct, not %T", target)
	}
	fields := walk(v.Elem(), "", "")
	for _, f := range fields {
		if f.mistake != "" {
			return nil, fmt.Errorf("field %s of the configuration %s", f.goName, f.mistake)
		}
	}
	return fields, nil
}

func walk(v reflect.Value, path, prefix string) []field {
	var out []field
	for i := range v.NumField() {
		kind := v.Type().Field(i)
		if !kind.IsExported() {
			continue
		}
		tag, tagged := kind.Tag.Lookup("env")
		switch {
		case tagged && tag != "-":
			out = append(out, newField(v.Field(i), kind, path, prefix))
		case !tagged && kind.Type.Kind() == reflect.Struct:
			out = append(out, walk(v.Field(i), path+kind.Name+".", prefix+kind.Tag.Get("envPrefix"))...)
		}
	}
	return out
}

func newField(v reflect.Value, kind reflect.StructField, path, prefix string) field {
	name, options, _ := strings.Cut(kind.Tag.Get("env"), ",")
	f := field{
		goName:   path + kind.Name,
		names:    []string{prefix + name},
		help:     kind.Tag.Get("help"),
		unit:     kind.Tag.Get("unit"),
		example:  kind.Tag.Get("example"),
		fallback: kind.Tag.Get("envDefault"),
		value:    v,
		kind:     kind,
	}
	if f.unit == "" && kind.Type == reflect.TypeFor[time.Duration]() {
		f.unit = "ms, s, m or h"
	}
	f.production, f.suggested = kind.Tag.Lookup("production")
	f.required = options == "required"
	switch {
	case options != "" && !f.required:
		f.mistake = "has an option that is not required, the only one: " + options
	case !settable(kind.Type):
		f.mistake = "has a type that no text is read into: " + kind.Type.String()
	}
	for alias := range strings.SplitSeq(kind.Tag.Get("envAlias"), ",") {
		if alias = strings.TrimSpace(alias); alias != "" {
			f.names = append(f.names, alias)
		}
	}
	return f
}

func (f field) trim(text string) string {
	if f.secret() {
		return text
	}
	return strings.TrimSpace(text)
}

// secret reports whether the value must not be shown: by its type, or because
// it is text with a name like a secret's.
func (f field) secret() bool {
	return f.kind.Type == secretType || f.kind.Type.Kind() == reflect.String && redact.Key(f.names[0])
}

func (f field) missing() *Problem {
	mend := "set it"
	if f.example != "" {
		mend += " to " + f.example
	}
	if f.help != "" {
		mend += " (" + f.help + ")"
	}
	return &Problem{Variable: f.names[0], Fault: "is not set", Mend: mend}
}

// unreadable words what is wrong with a value of this field's type, which comes
// from the environment or the file of that path.
func (f field) unreadable(value any, path string, cause error) *Problem {
	p := &Problem{Variable: f.names[0]}
	if wrong, ok := errors.AsType[shapeError](cause); ok {
		p.Fault = "is " + wrong.is + " in " + path + ", where " + wrong.belongs + " belongs"
		p.Mend = wrong.mend
		return p
	}
	if !f.secret() {
		p.Value = redact.Text(written(value))
	}
	example := func(otherwise string) string {
		if f.fallback != "" {
			return f.fallback
		}
		return otherwise
	}
	kind := f.kind.Type
	if isList(kind) {
		kind = kind.Elem()
	}
	switch {
	case readsText(kind) || kind.Kind() == reflect.Pointer:
		p.Fault, p.Mend = "cannot be used", redact.Text(cause.Error())
	case kind == reflect.TypeFor[time.Duration]():
		p.Fault, p.Mend = "is not a duration", "write a number with a unit, such as "+example("30s")+" (units: ms, s, m, h)"
	case kind.Kind() == reflect.Bool:
		p.Fault, p.Mend = "is neither true nor false", "set it to true or false"
	case errors.Is(cause, strconv.ErrRange):
		p.Fault, p.Mend = "is too large or too small", "set it to a number such as "+example("10")
	case kind.Kind() >= reflect.Int && kind.Kind() <= reflect.Uint64:
		p.Fault, p.Mend = "is not a whole number", "set it to a number such as "+example("10")
		if kind.Kind() >= reflect.Uint {
			p.Fault = "is not a whole number of zero or more"
		}
	case kind.Kind() == reflect.Float32 || kind.Kind() == reflect.Float64:
		p.Fault, p.Mend = "is not a number", "set it to a number such as "+example("0.5")
	default:
		p.Fault, p.Mend = "cannot be used", redact.Text(cause.Error())
	}
	return p
}

// written is a value as it would stand in the environment.
func written(value any) string {
	elements, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	each := make([]string, len(elements))
	for i, element := range elements {
		each[i] = written(element)
	}
	return strings.Join(each, ",")
}
