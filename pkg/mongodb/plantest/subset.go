package plantest

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// implies reports that MongoDB can prove each condition of a partial index from
// a query. The query's conditions hold together; an $or among them proves what
// each of its alternatives proves.
func implies(query, filter []condition) bool {
	for _, wanted := range filter {
		if !slices.ContainsFunc(query, func(c condition) bool { return c.proves(wanted) }) {
			return false
		}
	}
	return true
}

func (c condition) proves(wanted condition) bool {
	if len(c.any) > 0 {
		for _, branch := range c.any {
			if !implies(branch, []condition{wanted}) {
				return false
			}
		}
		return true
	}
	if c.path != wanted.path || c.opaque || wanted.opaque {
		return false
	}
	if c.operator == wanted.operator && c.value.Equal(wanted.value) {
		return true
	}
	switch wanted.operator {
	case "$eq", "$gt", "$gte", "$lt", "$lte":
		if c.operator == "$in" {
			return len(c.values) > 0 && !slices.ContainsFunc(c.values, func(v bson.RawValue) bool {
				return !condition{path: c.path, operator: "$eq", value: v}.within(wanted)
			})
		}
		return c.within(wanted)
	case "$exists":
		present, _ := wanted.value.BooleanOK()
		return present && c.needsPresence()
	default: // $type and all others only by the same condition
		return false
	}
}

// needsPresence tells of a condition that no absent field meets.
func (c condition) needsPresence() bool {
	isNull := func(v bson.RawValue) bool { return v.Type == bson.TypeNull }
	switch c.operator {
	case "$eq", "$gt", "$gte", "$lt", "$lte":
		return !isNull(c.value)
	case "$in":
		return !slices.ContainsFunc(c.values, isNull)
	case "$ne":
		return isNull(c.value)
	case "$nin":
		return slices.ContainsFunc(c.values, isNull)
	case "$type", "$regex", "$mod", "$size", "$elemMatch":
		return true
	default:
		return false
	}
}

// within reports that a comparison lies within another one on the same field.
func (c condition) within(wanted condition) bool {
	order, ok := compare(c.value, wanted.value)
	if !ok {
		return false
	}
	oneOf := func(operators ...string) bool { return slices.Contains(operators, c.operator) }
	switch wanted.operator {
	case "$eq":
		return c.operator == "$eq" && order == 0
	case "$gt":
		return order > 0 && oneOf("$gt", "$gte", "$eq") || order == 0 && c.operator == "$gt"
	case "$gte":
		return order >= 0 && oneOf("$gt", "$gte", "$eq")
	case "$lt":
		return order < 0 && oneOf("$lt", "$lte", "$eq") || order == 0 && c.operator == "$lt"
	case "$lte":
		return order <= 0 && oneOf("$lt", "$lte", "$eq")
	default:
		return false
	}
}

// compare compares two values of one type, by MongoDB's notion of types: all
// numbers are one. Types that no index here is about are not compared.
func compare(a, b bson.RawValue) (order int, ok bool) {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return cmp.Compare(x, y), ok && !math.IsNaN(x) && !math.IsNaN(y)
	}
	if a.Type != b.Type {
		return 0, false
	}
	switch a.Type {
	case bson.TypeDateTime:
		return cmp.Compare(a.DateTime(), b.DateTime()), true
	case bson.TypeString:
		return cmp.Compare(a.StringValue(), b.StringValue()), true
	case bson.TypeObjectID:
		x, y := a.ObjectID(), b.ObjectID()
		return bytes.Compare(x[:], y[:]), true
	default:
		return 0, a.Equal(b)
	}
}

func number(v bson.RawValue) (float64, bool) {
	switch v.Type {
	case bson.TypeInt32:
		return float64(v.Int32()), true
	case bson.TypeInt64:
		return float64(v.Int64()), true
	case bson.TypeDouble:
		return v.Double(), true
	default:
		return 0, false
	}
}
