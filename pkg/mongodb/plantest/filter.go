package plantest

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// condition is one part of a filter.
type condition struct {
	path     string
	operator string          // $eq, $in, $gt, …
	value    bson.RawValue   // what it is compared with
	any      [][]condition   // of $or: each alternative is a conjunction
	opaque   bool            // no index helps: $nor, $expr, $where, …
	values   []bson.RawValue // of $in and $nin
}

// parse reads a filter as a conjunction of conditions. Nested $and are part of
// it.
func parse(filter bson.Raw) ([]condition, error) {
	if len(filter) == 0 {
		return nil, nil
	}
	elements, err := filter.Elements()
	if err != nil {
		return nil, fmt.Errorf("read a filter: %w", err)
	}
	var all []condition
	for _, element := range elements {
		more, err := parseElement(element.Key(), element.Value())
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

func parseElement(key string, value bson.RawValue) ([]condition, error) {
	switch {
	case key == "$comment":
		return nil, nil
	case key == "$and":
		branches, err := parseArray(value)
		var all []condition
		for _, branch := range branches {
			all = append(all, branch...)
		}
		return all, err
	case key == "$or":
		branches, err := parseArray(value)
		if len(branches) == 1 {
			return branches[0], err
		}
		return []condition{{operator: key, any: branches}}, err
	case strings.HasPrefix(key, "$"):
		return []condition{{operator: key, value: value, opaque: true}}, nil
	default:
		return parseField(key, value)
	}
}

func parseArray(value bson.RawValue) ([][]condition, error) {
	array, ok := value.ArrayOK()
	if !ok {
		return nil, fmt.Errorf("read a filter: %s is no array", value)
	}
	values, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("read a filter: %w", err)
	}
	branches := make([][]condition, len(values))
	for i, v := range values {
		document, ok := v.DocumentOK()
		if !ok {
			return nil, fmt.Errorf("read a filter: %s is no condition", v)
		}
		if branches[i], err = parse(document); err != nil {
			return nil, err
		}
	}
	return branches, nil
}

// parseField reads {path: value} and {path: {operator: value, …}}.
func parseField(path string, value bson.RawValue) ([]condition, error) {
	document, isDocument := value.DocumentOK()
	elements, err := document.Elements()
	if !isDocument || err != nil || len(elements) == 0 || !strings.HasPrefix(elements[0].Key(), "$") {
		if value.Type == bson.TypeRegex {
			return []condition{{path: path, operator: "$regex", value: value}}, nil
		}
		return []condition{{path: path, operator: "$eq", value: value}}, nil
	}
	var all []condition
	for _, element := range elements {
		c := condition{path: path, operator: element.Key(), value: element.Value()}
		if c.operator == "$options" {
			continue
		}
		if array, ok := c.value.ArrayOK(); ok && (c.operator == "$in" || c.operator == "$nin") {
			if c.values, err = array.Values(); err != nil {
				return nil, fmt.Errorf("read a filter: %w", err)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// reach is how much of an index a condition on its field lets pass.
type reach int

const (
	whole  reach = iota // no condition, or one that excludes next to nothing
	ranged              // one interval, or a few
	points              // the values of an $in
	point               // one value
)

// reachOf is how far the conditions on a field reach together, and how many
// values they name; the narrowest counts.
func reachOf(all []condition, path string) (widest reach, values int) {
	values = 1
	for _, c := range all {
		if c.path != path {
			continue
		}
		switch r, n := c.reach(); {
		case r > widest:
			widest, values = r, n
		case r == points && widest == points:
			values = min(values, n)
		}
	}
	return widest, values
}

func (c condition) reach() (reach, int) {
	switch c.operator {
	case "$eq":
		return point, 1
	case "$in":
		for _, v := range c.values {
			if v.Type == bson.TypeRegex {
				return ranged, 1
			}
		}
		return points, len(c.values)
	case "$gt", "$gte", "$lt", "$lte", "$type":
		return ranged, 1
	case "$regex":
		if c.prefixed() {
			return ranged, 1
		}
		return whole, 1
	default: // $ne, $nin, $not, $exists, …
		return whole, 1
	}
}

// prefixed tells of an expression that begins with fixed text.
func (c condition) prefixed() bool {
	pattern, options, ok := c.value.RegexOK()
	if !ok {
		pattern, ok = c.value.StringValueOK()
	}
	return ok && options == "" && len(pattern) > 1 && pattern[0] == '^' && !strings.ContainsAny(pattern[1:2], `.*?+[({\|$`) && !strings.Contains(pattern, "|")
}
