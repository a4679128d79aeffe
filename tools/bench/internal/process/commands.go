package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// commandSeries is what the product counts its database commands by.
const commandSeries = "etrainer_mongodb_command_seconds_count{"

// ErrNoCommands means that the metrics hold no count of commands.
var ErrNoCommands = errors.New("not measured: the metrics count no database commands")

// Commands reads from a program's metrics how many commands it has sent to
// the database so far, by name.
func Commands(ctx context.Context, url string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	counts := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		labels, ok := strings.CutPrefix(lines.Text(), commandSeries)
		if !ok {
			continue
		}
		_, name, _ := strings.Cut(labels, `command="`)
		name, _, _ = strings.Cut(name, `"`)
		_, value, _ := strings.Cut(labels, "} ")
		count, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil, fmt.Errorf("read the metrics: %w", err)
		}
		counts[name] += count
	}
	if len(counts) == 0 {
		return nil, errors.Join(ErrNoCommands, lines.Err())
	}
	return counts, nil
}
