package logpush_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/logpush"
)

// A message is one line, which names the device without its whole token.
func TestSend(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := logpush.New(push.FCM, slog.New(slog.NewTextHandler(&out, nil)))
	results, err := p.Send(t.Context(), []push.Message{{Token: "0123456789abcdef", Title: "Hello"}, {Token: "short", Title: "again"}})
	if err != nil || len(results) != 2 || !results[0].Accepted() || results[0].ID != "" {
		t.Errorf("Send: %+v, %v", results, err)
	}
	text := out.String()
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "title=Hello") || !strings.Contains(text, "0123…cdef") || strings.Contains(text, "0123456789abcdef") || strings.Contains(text, "short") {
		t.Errorf("the log is:\n%s", text)
	}
}
