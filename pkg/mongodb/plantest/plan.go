package plantest

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/schema"
)

const (
	// mostValues is the most values that an $in may have.
	mostValues = 1000
	// mostScans is how many scans MongoDB merges to give an order
	// (internalQueryMaxScansToExplode).
	mostScans = 200
)

// byID is the index that every collection has.
var byID = schema.Index{Name: "_id_", Keys: bson.D{{Key: "_id", Value: 1}}, Unique: true}

// search is one query against the indexes of its collection.
type search struct {
	Query
	indexes []schema.Index
	order   bson.D // Sort, decoded
}

// serve finds an index for conditions that hold together. Any one of the proofs
// may imply the condition of a partial index. It returns what serves, or why
// nothing does.
func (s search) serve(all []condition, proofs ...[]condition) (plan, why string) {
	var reasons []string
	for _, index := range s.indexes {
		partial, err := partialOf(index)
		if err != nil {
			return "", err.Error()
		}
		reason := s.by(index, all, partial)
		switch implied := slices.ContainsFunc(proofs, func(proof []condition) bool { return implies(proof, partial) }); {
		case reason == notAsked:
		case !implied:
			reasons = append(reasons, fmt.Sprintf("the filter does not contain the condition %s of the index %s", words(index.Partial), index.IndexName()))
		case reason == "":
			return index.IndexName(), s.rival(index, all)
		default:
			reasons = append(reasons, fmt.Sprintf("by the index %s, %s", index.IndexName(), reason))
		}
	}
	for i, c := range all {
		if len(c.any) == 0 {
			continue
		}
		plan, reason := s.alternatives(slices.Delete(slices.Clone(all), i, i+1), c.any, proofs)
		if reason == "" {
			return plan, ""
		}
		reasons = append(reasons, reason)
	}
	if len(reasons) == 0 {
		return "", "no index begins with a field of the filter"
	}
	return "", strings.Join(reasons, "; ")
}

// alternatives serves each branch of an $or, together with the conditions beside
// it. A branch uses a partial index when it implies the condition by itself, or
// when the whole filter does.
func (s search) alternatives(beside []condition, branches [][]condition, proofs [][]condition) (plan, why string) {
	var plans []string
	for _, branch := range branches {
		plan, why := s.serve(append(slices.Clone(beside), branch...), append(slices.Clone(proofs), branch)...)
		if why != "" {
			return "", "for one alternative of $or, " + why
		}
		plans = append(plans, plan)
	}
	return strings.Join(slices.Compact(plans), " or "), ""
}

// notAsked is why an index is not even a candidate.
const notAsked = "its first field is not asked for"

// by tells why an index does not serve; "" = it does.
func (s search) by(index schema.Index, all, partial []condition) string {
	first, values := reachOf(all, index.Keys[0].Key)
	ordered := len(s.order) == 0 || gives(index.Keys, s.order, all)
	if first == whole && (len(s.order) == 0 || !ordered || index.Partial != nil) {
		return notAsked
	}
	residual := slices.DeleteFunc(slices.Clone(all), func(c condition) bool {
		return has(index.Keys, c.path) || leavesOutFew(c) || len(partial) > 0 && implies(partial, []condition{c})
	})
	switch {
	case first > whole && (index.Few != "" || named(index, all)):
		return "" // whatever else is asked: it is looked at in a few documents
	case first == points && values > mostValues:
		return fmt.Sprintf("$in has %d values, and may have %d", values, mostValues)
	case !ordered:
		return "the documents are sorted in memory"
	case len(residual) > 0:
		return fmt.Sprintf("%s is looked at in the documents, however many there are", residual[0].name())
	case first == whole && len(all) > 0:
		return fmt.Sprintf("the whole index is looked through for %s", all[0].name())
	case s.Limit > 0:
		return ""
	case s.Many && exact(index.Keys, all):
		return "" // it reads what it changes
	default:
		return "everything in its bounds is read: there is no limit"
	}
}

// leavesOutFew reports a condition that drops at most as many documents as it
// has values, since an _id is unique: what is read beyond that is found.
func leavesOutFew(c condition) bool {
	return c.path == "_id" && c.operator == "$nin" && len(c.values) <= mostLeftOut
}

// mostLeftOut bounds such a condition.
const mostLeftOut = 2000

// rival tells of another index that the server may choose for a write by many
// values of _id: it goes through the bounds of that index then, and the values
// that are among the first decide which plan looks better.
func (s search) rival(chosen schema.Index, all []condition) string {
	ids, _ := reachOf(all, "_id")
	if !s.Many || chosen.Name != byID.Name || ids != points || s.Hint.Type != 0 {
		return ""
	}
	for _, index := range s.indexes {
		first, _ := reachOf(all, index.Keys[0].Key)
		if index.Name != byID.Name && first > whole && index.Few == "" && index.Partial == nil {
			return fmt.Sprintf("the server may choose the index %s instead of that on _id, and read everything in its bounds: give the hint {_id: 1}", index.IndexName())
		}
	}
	return ""
}

// named reports that the filter names the values of a unique index.
func named(index schema.Index, all []condition) bool {
	product := 1
	for _, key := range index.Keys {
		reach, values := reachOf(all, key.Key)
		if reach < points {
			return false
		}
		product *= values
	}
	return index.Unique && product <= mostValues
}

// exact reports that the bounds hold no document but those that match: values of
// the first fields, then at most one interval.
func exact(keys bson.D, all []condition) bool {
	last := false
	for _, key := range keys {
		switch reach, _ := reachOf(all, key.Key); {
		case reach == whole && slices.ContainsFunc(all, func(c condition) bool { return c.path == key.Key }):
			return false // such as $ne
		case reach == whole:
			last = true
		case last:
			return false
		case reach == ranged:
			last = true
		}
	}
	return true
}

func partialOf(index schema.Index) ([]condition, error) {
	if index.Partial == nil {
		return nil, nil
	}
	raw, err := bson.Marshal(index.Partial)
	if err != nil {
		return nil, fmt.Errorf("encode the condition of the index %s: %w", index.IndexName(), err)
	}
	return parse(raw)
}

func has(keys bson.D, path string) bool {
	return slices.ContainsFunc(keys, func(key bson.E) bool { return key.Key == path })
}

// name is what a condition is about.
func (c condition) name() string {
	if c.path != "" {
		return c.path
	}
	return c.operator
}
