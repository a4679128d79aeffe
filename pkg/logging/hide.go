package logging

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/etrainer/backend/pkg/redact"
)

// hidden returns fields without their secrets; it copies them only if there are
// some. What it cannot look into, such as a struct, is left to the type's own care
// (see config.Secret).
func hidden(fields []zapcore.Field) []zapcore.Field {
	clean := fields
	for i := range fields {
		field, changed := hide(&fields[i])
		if !changed {
			continue
		}
		if &clean[0] == &fields[0] {
			clean = slices.Clone(fields)
		}
		clean[i] = field
	}
	return clean
}

// hide returns a field without its secrets if it has some.
func hide(field *zapcore.Field) (clean zapcore.Field, changed bool) {
	switch field.Type {
	case zapcore.StringType:
		if text := hideText(field.Key, field.String); text != field.String {
			return zap.String(field.Key, text), true
		}
	case zapcore.ErrorType, zapcore.StringerType, zapcore.ByteStringType, zapcore.BinaryType, zapcore.ArrayMarshalerType, zapcore.ReflectType:
		return hideValue(field)
	case zapcore.ObjectMarshalerType, zapcore.InlineMarshalerType:
		if object, ok := field.Interface.(zapcore.ObjectMarshaler); ok {
			clean = *field
			clean.Interface = hiddenObject{object}
			return clean, true
		}
	default: // numbers, times and the like: a secret is none of these
	}
	return zapcore.Field{}, false
}

// hideValue is hide for a field that holds a value of any type.
func hideValue(field *zapcore.Field) (clean zapcore.Field, changed bool) {
	value := field.Interface
	if value != nil && redact.Key(field.Key) {
		return zap.String(field.Key, redact.Mask), true
	}
	switch v := value.(type) {
	case zapcore.ArrayMarshaler:
		return zap.Array(field.Key, hiddenArray{v}), true
	case error: // as text alone: zap would add more fields for some
		return zap.String(field.Key, redact.Text(call(v.Error))), true
	case fmt.Stringer:
		return zap.String(field.Key, redact.Text(call(v.String))), true
	case []byte:
		if field.Type == zapcore.ByteStringType {
			return zap.String(field.Key, redact.Text(string(v))), true
		}
	}
	return zapcore.Field{}, false
}

func hideText(key, text string) string {
	if text != "" && redact.Key(key) {
		return redact.Mask
	}
	return redact.Text(text)
}

// call returns the text of a value, or of the panic with which, for instance,
// the Error method of a nil pointer answers: a log line ends no program.
func call(text func() string) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = panicText(p)
		}
	}()
	return text()
}

func panicText(p any) string { return fmt.Sprintf("panic: %v", p) }

// hiddenObject is an object, such as a group, that is written without its secrets.
type hiddenObject struct{ zapcore.ObjectMarshaler }

// MarshalLogObject writes the object.
func (o hiddenObject) MarshalLogObject(to zapcore.ObjectEncoder) error {
	return o.ObjectMarshaler.MarshalLogObject(objectEncoder{to})
}

// hiddenArray is a list that is written without its secrets.
type hiddenArray struct{ zapcore.ArrayMarshaler }

// MarshalLogArray writes the list.
func (a hiddenArray) MarshalLogArray(to zapcore.ArrayEncoder) error {
	return a.ArrayMarshaler.MarshalLogArray(arrayEncoder{to})
}

// objectEncoder hides the secrets of what is added.
type objectEncoder struct{ zapcore.ObjectEncoder }

func (e objectEncoder) AddString(key, text string) {
	e.ObjectEncoder.AddString(key, hideText(key, text))
}

func (e objectEncoder) AddByteString(key string, text []byte) { e.AddString(key, string(text)) }

func (e objectEncoder) AddBinary(key string, value []byte) { _ = e.add(zap.Binary(key, value)) } // it cannot fail

func (e objectEncoder) AddReflected(key string, value any) error {
	return e.add(zap.Reflect(key, value))
}

func (e objectEncoder) AddObject(key string, object zapcore.ObjectMarshaler) error {
	return e.add(zap.Object(key, object))
}

func (e objectEncoder) AddArray(key string, array zapcore.ArrayMarshaler) error {
	return e.add(zap.Array(key, array))
}

func (e objectEncoder) add(field zapcore.Field) error {
	if clean, changed := hide(&field); changed {
		field = clean
	}
	field.AddTo(e.ObjectEncoder)
	return nil
}

// arrayEncoder hides the secrets of what is appended.
type arrayEncoder struct{ zapcore.ArrayEncoder }

func (e arrayEncoder) AppendString(text string) { e.ArrayEncoder.AppendString(redact.Text(text)) }

func (e arrayEncoder) AppendByteString(text []byte) { e.AppendString(string(text)) }

func (e arrayEncoder) AppendObject(object zapcore.ObjectMarshaler) error {
	return e.ArrayEncoder.AppendObject(hiddenObject{object})
}

func (e arrayEncoder) AppendArray(array zapcore.ArrayMarshaler) error {
	return e.ArrayEncoder.AppendArray(hiddenArray{array})
}
