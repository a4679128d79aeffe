package plantest

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/schema"
)

// Plan is how a query is served.
type Plan struct {
	Query Query
	Index string // its name, "a or b" for alternatives of $or, "" = it needs none
}

// Problem is a query that no declared index serves. It is an error.
type Problem struct {
	Query Query
	Why   string
	// Missing is the index that would serve, by equality, sort, range; "" = no
	// index would.
	Missing string
}

// Error names the command, its filter and sort, and what is missing.
func (p *Problem) Error() string {
	text := fmt.Sprintf("%s %s, filter %s", p.Query.Command, p.Query.Collection, words(p.Query.Filter))
	if !isEmpty(p.Query.Sort) {
		text += ", sort " + words(p.Query.Sort)
	}
	if p.Query.Limit > 0 {
		text += fmt.Sprintf(", limit %d", p.Query.Limit)
	}
	text += ": " + p.Why
	if p.Missing != "" {
		text += "; missing: an index " + p.Missing
	}
	return text
}

// Check tells how each statement of a command is served by the indexes of the
// collections. The error joins nothing: it is that of a command that cannot be
// read, else the first Problem.
func Check(collections []schema.Collection, command bson.Raw) ([]Plan, error) {
	queries, err := Queries(command)
	if err != nil {
		return nil, err
	}
	plans := make([]Plan, len(queries))
	for i, q := range queries {
		if plans[i], err = check(collections, q); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

func check(collections []schema.Collection, q Query) (Plan, error) {
	plan := Plan{Query: q}
	if q.Estimated {
		return plan, nil
	}
	collection, declared := schema.Find(collections, q.Collection)
	if !declared {
		return plan, &Problem{Query: q, Why: "the collection is not declared in package schema"}
	}
	all, err := parse(q.Filter)
	if err != nil {
		return plan, err
	}
	s := search{Query: q, indexes: append([]schema.Index{byID}, collection.Indexes...)}
	if len(q.Sort) > 0 {
		if err := bson.Unmarshal(q.Sort, &s.order); err != nil {
			return plan, fmt.Errorf("read a sort: %w", err)
		}
	}
	if why := s.followHint(); why != "" {
		return plan, &Problem{Query: q, Why: why}
	}
	if why := unbounded(all); why != "" {
		return plan, &Problem{Query: q, Why: why}
	}
	switch {
	case collection.Few != "":
		return plan, nil
	case len(all) == 0 && len(s.order) == 0 && q.Limit > 0:
		return plan, nil // the first that come
	case q.Distinct != "" && len(all) == 0 && slices.ContainsFunc(s.indexes, func(i schema.Index) bool { return i.Partial == nil && i.Keys[0].Key == q.Distinct }):
		return plan, nil // one step for each value
	}
	var why string
	if plan.Index, why = s.serve(all, all); why != "" {
		return plan, &Problem{Query: q, Why: why, Missing: s.missing(all)}
	}
	return plan, nil
}

// followHint leaves only the index that a hint names.
func (s *search) followHint() (why string) {
	if s.Hint.Type == 0 {
		return ""
	}
	name, byName := s.Hint.StringValueOK()
	var pattern bson.D
	if document, ok := s.Hint.DocumentOK(); ok {
		if err := bson.Unmarshal(document, &pattern); err != nil {
			return err.Error()
		}
	}
	s.indexes = slices.DeleteFunc(s.indexes, func(index schema.Index) bool {
		if byName {
			return index.IndexName() != name
		}
		return len(index.Keys) != len(pattern) || !begins(index.Keys, pattern, 1)
	})
	if len(s.indexes) == 0 {
		return fmt.Sprintf("the hint %s names no declared index, and the server refuses the command", s.Hint)
	}
	return ""
}

// unbounded tells of a list of values that is too long, wherever it stands.
func unbounded(all []condition) string {
	for _, c := range all {
		if len(c.values) > mostValues {
			return fmt.Sprintf("%s of %s has %d values, and may have %d", c.operator, c.path, len(c.values), mostValues)
		}
		for _, branch := range c.any {
			if why := unbounded(branch); why != "" {
				return why
			}
		}
	}
	return ""
}

// missing is the index that would serve: equality, sort, range.
func (s search) missing(all []condition) string {
	var keys []string
	add := func(path string, direction int) {
		key := fmt.Sprintf("%s: %d", path, direction)
		if path != "" && !slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, path+":") }) {
			keys = append(keys, key)
		}
	}
	for _, least := range []reach{points, ranged} {
		for _, c := range all {
			if reach, _ := reachOf(all, c.path); reach >= least && !c.opaque {
				add(c.path, 1)
			}
		}
		if least == points {
			for _, key := range s.order {
				add(key.Key, sign(key.Value))
			}
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// words is a document in the shell's words.
func words(document any) string {
	if raw, ok := document.(bson.Raw); ok && len(raw) == 0 {
		return "{}"
	}
	text, err := bson.MarshalExtJSON(document, false, false)
	if err != nil {
		return err.Error()
	}
	const most = 400
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
