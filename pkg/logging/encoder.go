package logging

import (
	"encoding/json"
	"io"
	"time"

	"go.uber.org/zap/zapcore"
)

// timeLayout is ISO 8601 to the millisecond, as package instant writes it. Times are
// in UTC, whatever the zone of the machine, so that lines of several machines sort.
const timeLayout = "2006-01-02T15:04:05.000Z"

func newJSONEncoder() zapcore.Encoder {
	return zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "time", NameKey: "level", MessageKey: "msg", // see core.Write for the level
		EncodeTime: encodeTime, EncodeDuration: zapcore.StringDurationEncoder, NewReflectedEncoder: newValueEncoder,
	})
}

// layoutEncoder is what zap's JSON encoder can do beyond its interface: write a time
// without making a string of it.
type layoutEncoder interface {
	AppendTimeLayout(t time.Time, layout string)
}

func encodeTime(t time.Time, to zapcore.PrimitiveArrayEncoder) {
	if direct, ok := to.(layoutEncoder); ok {
		direct.AppendTimeLayout(t.UTC(), timeLayout)
		return
	}
	to.AppendString(t.UTC().Format(timeLayout))
}

// valueEncoder writes what only its type can write, or why it did not.
type valueEncoder struct{ out io.Writer }

func newValueEncoder(out io.Writer) zapcore.ReflectedEncoder { return valueEncoder{out} }

// Encode writes a value as JSON.
func (e valueEncoder) Encode(value any) error {
	text, err := marshal(value)
	if err != nil {
		text, err = json.Marshal("marshaling error: " + err.Error())
	}
	if err == nil {
		_, err = e.out.Write(text)
	}
	return err
}

// marshal returns the JSON of a value, or of the panic in which that ends.
func marshal(value any) (text []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			text, err = json.Marshal(panicText(p))
		}
	}()
	return json.Marshal(value)
}
