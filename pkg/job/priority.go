package job

import (
	"fmt"
	"sort"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The priorities that Agenda has names for. Any number between them is
// allowed; a higher one runs first among jobs that are due at the same time.
const (
	PriorityLowest  float64 = -20
	PriorityLow     float64 = -10
	PriorityNormal  float64 = 0
	PriorityHigh    float64 = 10
	PriorityHighest float64 = 20
)

var priorityNames = map[string]float64{
	"lowest": PriorityLowest, "low": PriorityLow, "normal": PriorityNormal,
	"high": PriorityHigh, "highest": PriorityHighest,
}

// ParsePriority reads a priority by name. Agenda silently reads every unknown
// name as 0; a caller of ours is told instead.
func ParsePriority(name string) (float64, error) {
	if priority, ok := priorityNames[name]; ok {
		return priority, nil
	}
	known := make([]string, 0, len(priorityNames))
	for known1 := range priorityNames {
		known = append(known, known1)
	}
	sort.Slice(known, func(i, j int) bool { return priorityNames[known[i]] < priorityNames[known[j]] })
	return 0, fmt.Errorf("priority %q is unknown: use a number or one of %s", name, strings.Join(known, ", "))
}

// PriorityOf reads a stored priority as Agenda does: a number is itself, a
// known name its number, anything else 0.
func PriorityOf(v bson.RawValue) float64 {
	if text, ok := v.StringValueOK(); ok {
		return priorityNames[text]
	}
	return number(v)
}
