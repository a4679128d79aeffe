package logging

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Level is the least level that is written. It can be changed while the program
// runs: by Set, by a request to it (it is an http.Handler) and by a signal.
type Level struct {
	zap     zap.AtomicLevel
	start   zapcore.Level // that of the start
	changed atomic.Bool   // whether it was set since
	log     *slog.Logger  // is told of changes
}

func newLevel(text string) (*Level, error) {
	if text == "" {
		text = "info"
	}
	start, err := parseLevel(text)
	if err != nil {
		return nil, err
	}
	return &Level{zap: zap.NewAtomicLevelAt(start), start: start}, nil
}

func parseLevel(text string) (zapcore.Level, error) {
	level, err := zapcore.ParseLevel(text)
	if err != nil || text == "" || level > zapcore.ErrorLevel { // the levels beyond end a program
		return 0, fmt.Errorf("log level %q is unknown: use debug, info, warn or error", text)
	}
	return level, nil
}

// Set sets the level: debug, info, warn or error, in any case.
func (l *Level) Set(text string) error {
	level, err := parseLevel(text)
	if err != nil {
		return err
	}
	l.set(level)
	return nil
}

func (l *Level) set(level zapcore.Level) {
	from := l.String()
	l.zap.SetLevel(level)
	l.changed.Store(true)
	if to := l.String(); to != from {
		l.log.Warn("log level changed", slog.String("from", from), slog.String("to", to))
	}
}

// String returns the level, such as info.
func (l *Level) String() string { return l.zap.String() }

// Changed returns the level if it was set since the start, else "".
func (l *Level) Changed() string {
	if !l.changed.Load() {
		return ""
	}
	return l.String()
}

// least is the level as package log/slog counts.
func (l *Level) least() slog.Level {
	return slog.Level(l.zap.Level()) * (slog.LevelWarn - slog.LevelInfo)
}

// toggle changes between debug and the level of the start; a program that started
// with debug goes to info and back.
func (l *Level) toggle() {
	switch {
	case l.zap.Level() != zapcore.DebugLevel:
		l.set(zapcore.DebugLevel)
	case l.start != zapcore.DebugLevel:
		l.set(l.start)
	default:
		l.set(zapcore.InfoLevel)
	}
}

// ToggleOnSignal changes between debug and the level of the start at each SIGUSR1,
// until release is called.
func (l *Level) ToggleOnSignal() (release func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer close(done)
		for range signals {
			l.toggle()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// greatestRequest bounds a request to set the level, in bytes.
const greatestRequest = 1 << 10

// ServeHTTP answers GET with the level, as {"level":"info"}, and sets it with PUT:
// the form level=debug in the body or the query, or the JSON that GET answers. It is
// not authenticated: serve it on a private address.
func (l *Level) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPut:
		r.Body = http.MaxBytesReader(w, r.Body, greatestRequest)
		text, err := wanted(r)
		if err == nil {
			err = l.Set(text)
		}
		if err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT")
		reply(w, http.StatusMethodNotAllowed, map[string]string{"error": "use GET or PUT"})
		return
	}
	reply(w, http.StatusOK, map[string]string{"level": l.String()})
}

// wanted is the level that a request asks for.
func wanted(r *http.Request) (string, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/json" {
		var body struct {
			Level string `json:"level"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return "", fmt.Errorf("the body is not JSON such as {\"level\":\"debug\"}: %w", err)
		}
		return body.Level, nil
	}
	if err := r.ParseForm(); err != nil {
		return "", fmt.Errorf("the body is not a form such as level=debug: %w", err)
	}
	return strings.TrimSpace(r.Form.Get("level")), nil
}

func reply(w http.ResponseWriter, status int, body map[string]string) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
