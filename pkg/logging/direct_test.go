package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/etrainer/backend/pkg/logging"
)

func zapLevel(level slog.Level) zapcore.Level { return zapcore.Level(level / 4) }

// secretive is an object of somebody's own.
type secretive struct{}

func (secretive) MarshalLogObject(to zapcore.ObjectEncoder) error {
	to.AddString("password", "hunter2")
	to.AddByteString("uri", []byte("redis://:hunter2@h"))
	to.AddBinary("token", []byte("hunter2"))
	return errors.Join(
		to.AddArray("list", zapcore.ArrayMarshalerFunc(func(list zapcore.ArrayEncoder) error {
			list.AppendString("redis://:hunter2@h")
			list.AppendByteString([]byte("redis://:hunter2@h"))
			return errors.Join(list.AppendObject(zap.DictObject(zap.String("secret", "hunter2"))), list.AppendArray(zapcore.ArrayMarshalerFunc(func(inner zapcore.ArrayEncoder) error {
				inner.AppendString("redis://:hunter2@h")
				return nil
			})))
		})),
		to.AddReflected("credentials", map[string]string{"a": "hunter2"}),
		to.AddReflected("counts", map[string]int{"a": 1}),
		to.AddObject("inner", zap.DictObject(zap.String("jwt", "hunter2"))),
	)
}

// TestTheDirectWayHidesSecretsToo logs through zap, whose fields come in more kinds
// than those of package log/slog.
func TestTheDirectWayHidesSecretsToo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logging.New(logging.Options{Out: &out, Child: 3})
	if err != nil {
		t.Fatal(err)
	}
	fields := []zap.Field{
		zap.String("method", "GET"), zap.String("password", "hunter2"), zap.ByteString("uri", []byte("redis://:hunter2@h")), zap.Binary("apiKey", []byte("hunter2")),
		zap.Error(errors.New("dial redis://:hunter2@h")), zap.Stringer("by", level(1)), zap.Strings("tokens", []string{"hunter2"}), zap.Strings("uris", []string{"redis://:hunter2@h"}),
		zap.Errors("errors", []error{errors.New("redis://:hunter2@h")}), zap.Reflect("authorization", map[string]string{"a": "hunter2"}),
		zap.Object("object", secretive{}), zap.Inline(zap.DictObject(zap.String("cookie", "hunter2"))),
	}
	ctx := logging.With(t.Context(), slog.String("request_id", "r1"), slog.Int("attempt", 2), slog.Group("caller", slog.String("token", "hunter2")))
	log.Zap.With(zap.String("component", "http"), zap.String("secret", "hunter2")).Warn("request to redis://:hunter2@h", logging.AppendFields(fields, ctx)...)
	if fields[1].String != "hunter2" {
		t.Error("the fields of the caller were changed")
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one JSON line: %v\n%s", err, &out)
	}
	delete(line, "time")
	const hidden, uri = "[hidden]", "redis://[hidden]@h"
	want := map[string]any{
		"level": "warn", "msg": "request to " + uri, "child": 3.0, "component": "http", "secret": hidden, "method": "GET", "password": hidden, "uri": uri, "apiKey": hidden,
		"error": "dial " + uri, "by": "mongodb://[hidden]@level1", "tokens": hidden, "uris": []any{uri}, "errors": []any{map[string]any{"error": uri}}, "authorization": hidden,
		"object": map[string]any{
			"password": hidden, "uri": uri, "token": hidden, "list": []any{uri, uri, map[string]any{"secret": hidden}, []any{uri}},
			"credentials": hidden, "counts": map[string]any{"a": 1.0}, "inner": map[string]any{"jwt": hidden},
		},
		"cookie": hidden, "request_id": "r1", "attempt": 2.0, "caller": map[string]any{"token": hidden},
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// mostAllocated is what a line may allocate that is logged directly: its fields, and
// one for luck.
const mostAllocated = 2

func TestAllocationsOfADirectLine(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	line := directLine(t)
	if got := testing.AllocsPerRun(1000, line); got > mostAllocated {
		t.Errorf("%.0f allocations in a line, want %d at most", got, mostAllocated)
	}
}

func BenchmarkDirectLine(b *testing.B) {
	line := directLine(b)
	b.ReportAllocs()
	for b.Loop() {
		line()
	}
}

// directLine returns what logs a line as the access log does.
func directLine(t testing.TB) func() {
	t.Helper()
	log, err := logging.New(logging.Options{Out: io.Discard, Service: "api", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := logging.With(t.Context(), slog.String("request_id", "0123456789abcdef"), slog.String("user_id", "507f1f77bcf86cd799439011"))
	now := time.Now()
	return func() {
		line := log.Zap.Check(zap.InfoLevel, "request")
		line.Time = now
		line.Write(logging.AppendFields(append(make([]zap.Field, 0, 12),
			zap.String("method", "GET"), zap.String("path", "/health"), zap.String("route", "/health"), zap.Int("status", 200),
			zap.Int("bytes", 17), zap.Float64("duration_ms", 1.234), zap.String("client_ip", "203.0.113.7")), ctx)...)
	}
}
