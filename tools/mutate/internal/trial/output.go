package trial

import (
	"bufio"
	"bytes"
	"regexp"
	"strings"
	"time"
)

// verdicts are what "go test -v" printed of each test, by the name that it
// prints.
type verdicts struct {
	passed  map[string]time.Duration // and how long each took
	failed  map[string]bool
	skipped map[string]bool
	late    bool // a test ran out of time
}

var verdictLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(([0-9.]+s)\)$`)

func readVerdicts(output []byte) verdicts {
	v := verdicts{passed: map[string]time.Duration{}, failed: map[string]bool{}, skipped: map[string]bool{}}
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, len(output)+1)
	for lines.Scan() {
		v.late = v.late || strings.HasPrefix(lines.Text(), "panic: test timed out")
		match := verdictLine.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		switch match[1] {
		case "PASS":
			v.passed[match[2]], _ = time.ParseDuration(match[3])
		case "FAIL":
			v.failed[match[2]] = true
		case "SKIP":
			v.skipped[match[2]] = true
		}
	}
	return v
}

// printed is a test's name as "go test" prints it.
func printed(name string) string { return strings.ReplaceAll(name, " ", "_") }

// pattern is the -run pattern for just these tests.
func pattern(tests []string) string {
	patterns := make([]string, len(tests))
	for i, test := range tests {
		parts := strings.Split(printed(test), "/")
		for j, part := range parts {
			parts[j] = "^" + regexp.QuoteMeta(part) + "$"
		}
		patterns[i] = strings.Join(parts, "/")
	}
	return strings.Join(patterns, "|")
}
