package logging

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// consoleEncoder writes lines for people, such as
//
//	15:04:05.000 INFO running port=8080 pool.open=2
//
// It lets zap write the fields as JSON, and then spells them out; that takes its
// time, which people do not notice.
type consoleEncoder struct{ zapcore.Encoder }

func newConsoleEncoder() zapcore.Encoder {
	return consoleEncoder{zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		EncodeTime:     zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00"),
		EncodeDuration: zapcore.StringDurationEncoder, NewReflectedEncoder: newValueEncoder,
	})}
}

var lines = buffer.NewPool()

// Clone returns a copy, to which fields may be added.
func (e consoleEncoder) Clone() zapcore.Encoder { return consoleEncoder{e.Encoder.Clone()} }

// EncodeEntry returns a line.
func (e consoleEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	object, err := e.Encoder.EncodeEntry(zapcore.Entry{}, fields)
	if err != nil {
		return nil, err
	}
	defer object.Free()
	line := lines.Get()
	if !entry.Time.IsZero() {
		line.AppendTime(entry.Time, "15:04:05.000 ")
	}
	line.AppendString(strings.ToUpper(entry.LoggerName)) // see core.Write for the level
	line.AppendByte(' ')
	line.AppendString(entry.Message)
	err = spell(line, "", object.Bytes())
	line.AppendByte('\n')
	return line, err
}

// spell adds the members of a JSON object as key=value, those of an object within it
// with its name before theirs.
func spell(line *buffer.Buffer, prefix string, object []byte) error {
	members := json.NewDecoder(bytes.NewReader(object))
	if _, err := members.Token(); err != nil { // the brace
		return err
	}
	for members.More() {
		token, err := members.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // a member begins with its name
		var value json.RawMessage
		if err := members.Decode(&value); err != nil {
			return err
		}
		if value[0] == '{' {
			if err := spell(line, prefix+key+".", value); err != nil {
				return err
			}
			continue
		}
		line.AppendByte(' ')
		line.AppendString(quoted(prefix + key))
		line.AppendByte('=')
		line.AppendString(plain(value))
	}
	return nil
}

// plain returns a value as people write it.
func plain(value json.RawMessage) string {
	text := string(value)
	switch {
	case value[0] == '"':
		if json.Unmarshal(value, &text) == nil {
			return quoted(text)
		}
	case text == "null":
		return "<nil>"
	case strings.Contains(text, ".") && value[0] != '[':
		if number, err := strconv.ParseFloat(text, 64); err == nil {
			return strconv.FormatFloat(number, 'g', -1, 64)
		}
	}
	return text
}

// quoted returns text in quotes if it would not stand for itself.
func quoted(text string) string {
	odd := func(r rune) bool {
		return r == ' ' || r == '=' || r == '"' || r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}
	if text == "" || strings.ContainsFunc(text, odd) {
		return strconv.Quote(text)
	}
	return text
}
