package history

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Read returns the lines of all processes in the order in which they were
// written. A last line that its writer could not finish is left out.
func Read(folder string) ([]Line, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("list the history: %w", err)
	}
	var lines []Line
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		of, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		lines = append(lines, of...)
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
	return lines, nil
}

func parse(text []byte) ([]Line, error) {
	var lines []Line
	for number := 1; ; number++ {
		one, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return lines, nil
		}
		var line Line
		if err := json.Unmarshal(one, &line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		lines = append(lines, line)
		text = rest
	}
}
