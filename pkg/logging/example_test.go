package logging_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/etrainer/backend/pkg/logging"
)

func Example() {
	log, err := logging.New(logging.Options{Level: "info", Out: withoutTime{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = log.Flush() }()
	ctx := logging.With(context.Background(), slog.String("request_id", "r-17"))
	log.WarnContext(ctx, "database lost", slog.Any("error", errors.New("dial mongodb://app:hunter2@db1: refused")))
	// Output:
	// {"level":"warn","msg":"database lost","error":"dial mongodb://[hidden]@db1: refused","request_id":"r-17"}
}

// withoutTime makes the example's output always the same.
type withoutTime struct{}

func (withoutTime) Write(line []byte) (int, error) {
	const stamp = `"time":"2006-01-02T15:04:05.000Z",`
	if _, err := os.Stdout.WriteString("{" + string(line[1+len(stamp):])); err != nil {
		return 0, err
	}
	return len(line), nil
}
