package plantest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/plantest"
	"github.com/etrainer/backend/pkg/schema"
)

// things is a collection with an index of each kind, and few is one that stays
// small.
var things = []schema.Collection{
	{Name: "few", Few: "a reason"},
	{Name: "things", Indexes: []schema.Index{
		{Name: "queue", Keys: bson.D{{Key: "name", Value: 1}, {Key: "at", Value: 1}, {Key: "rank", Value: -1}, {Key: "lock", Value: 1}}},
		{Name: "email", Keys: bson.D{{Key: "email", Value: 1}}, Unique: true},
		{Name: "single", Keys: bson.D{{Key: "name", Value: 1}, {Key: "type", Value: 1}}, Unique: true, Partial: bson.D{{Key: "type", Value: "single"}}},
		{Name: "held", Keys: bson.D{{Key: "lock", Value: 1}}, Few: "a reason", Partial: bson.D{{Key: "lock", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}}}}},
		{Name: "typed", Keys: bson.D{{Key: "died", Value: 1}}, Partial: bson.D{{Key: "died", Value: bson.D{{Key: "$type", Value: "date"}}}}},
		{Name: "plans", Keys: bson.D{{Key: "at", Value: 1}, {Key: "_id", Value: 1}}, Partial: bson.D{{Key: "at", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}}}}},
		{Name: "open", Keys: bson.D{{Key: "worker", Value: 1}}, Few: "a reason", Partial: bson.D{{Key: "outcome", Value: "running"}}},
		{Name: "expiry", Keys: bson.D{{Key: "expires", Value: 1}}, TTL: true},
	}},
}

const date = `{"$date": "2024-01-17T10:20:30Z"}`

func find(filter, rest string) string {
	return fmt.Sprintf(`{"find": "things", "filter": %s%s}`, strings.ReplaceAll(filter, "DATE", date), strings.ReplaceAll(rest, "DATE", date))
}

func remove(filter string, limit int) string {
	return fmt.Sprintf(`{"delete": "things", "deletes": [{"q": %s, "limit": %d}]}`, strings.ReplaceAll(filter, "DATE", date), limit)
}

func update(filter, rest string) string {
	return fmt.Sprintf(`{"update": "things", "updates": [{"q": %s, "u": {"$set": {"x": 1}}%s}]}`, strings.ReplaceAll(filter, "DATE", date), rest)
}

// served are commands that an index serves, by its name.
var served = map[string][2]string{
	"one document by _id":                    {find(`{"_id": 1}`, ``), "_id_"},
	"documents by _id, sorted in memory":     {find(`{"_id": {"$in": [1, 2]}, "name": "a"}`, `, "sort": {"at": 1}`), "_id_"},
	"one document by a unique field":         {find(`{"email": "a"}`, ``), "email"},
	"equality, sort, range":                  {find(`{"name": "a", "at": {"$lte": DATE}}`, `, "sort": {"at": 1, "rank": -1}, "limit": 10`), "queue"},
	"the order backwards":                    {find(`{"name": "a"}`, `, "sort": {"at": -1, "rank": 1}, "limit": 10`), "queue"},
	"an order that begins with equality":     {find(`{"name": "a"}`, `, "sort": {"name": 1, "at": 1}, "limit": 10`), "queue"},
	"an equality between":                    {find(`{"name": "a", "rank": 1, "at": {"$lte": DATE}}`, `, "sort": {"at": 1, "lock": 1}, "limit": 10`), "queue"},
	"a merge of scans":                       {find(`{"name": {"$in": ["a", "b"]}, "at": {"$lte": DATE}, "lock": null}`, `, "sort": {"at": 1}, "limit": 10`), "queue"},
	"fields of the index beyond the range":   {find(`{"name": "a", "at": {"$lte": DATE}, "rank": {"$ne": 3}}`, `, "limit": 10`), "queue"},
	"an index in order, without a filter":    {find(`{}`, `, "sort": {"_id": -1}, "limit": 10`), "_id_"},
	"a range of _id, in order":               {find(`{"_id": {"$lt": 9}}`, `, "sort": {"_id": -1}, "limit": 10`), "_id_"},
	"any that come":                          {find(`{}`, `, "limit": 10`), ""},
	"a small collection as a whole":          {`{"find": "few", "filter": {"x": 1}, "sort": {"y": 1}}`, ""},
	"a partial index by its own condition":   {find(`{"at": {"$gt": {"$date": 0}}}`, `, "sort": {"at": 1, "_id": 1}, "limit": 10`), "plans"},
	"a partial index by a stricter one":      {find(`{"at": {"$gt": DATE}}`, `, "limit": 10`), "plans"},
	"a partial index by equality":            {find(`{"at": DATE, "_id": {"$gt": 3}}`, `, "sort": {"_id": 1}, "limit": 10`), "plans"},
	"a partial index by $in":                 {find(`{"at": {"$in": [DATE]}}`, `, "limit": 10`), "plans"},
	"a partial index by the same $type":      {find(`{"died": {"$type": "date", "$lte": DATE}}`, `, "limit": 10`), "typed"},
	"a small partial index, sorted":          {find(`{"lock": {"$gt": DATE}, "name": "a", "x": 1}`, `, "sort": {"_id": -1}`), "held"},
	"a page without some ids":                {find(`{"name": "a", "_id": {"$nin": [1, 2]}}`, `, "limit": 1`), "queue"},
	"a small partial index by its other key": {find(`{"worker": "w", "outcome": "running", "job": {"$nin": [1]}}`, ``), "open"},
	"one of each name":                       {find(`{"name": {"$in": ["a", "b"]}, "type": "single"}`, `, "sort": {"_id": 1}`), "single"},
	"alternatives":                           {find(`{"$or": [{"email": "a"}, {"lock": {"$gt": DATE}}]}`, ``), "email or held"},
	"alternatives beside a condition":        {find(`{"lock": {"$gt": {"$date": 0}}, "$or": [{"x": 1}, {"y": 1}]}`, ``), "held"},
	"alternatives that imply by themselves":  {find(`{"name": "a", "$or": [{"lock": {"$gt": DATE}}, {"lock": DATE}]}`, ``), "held"},
	"a filter in $and":                       {find(`{"$and": [{"name": "a"}, {"at": {"$lte": DATE}}]}`, `, "limit": 1`), "queue"},
	"text by how it begins":                  {find(`{"name": {"$regex": "^abc"}}`, `, "limit": 1`), "queue"},
	"a hint by name":                         {find(`{"email": "a"}`, `, "hint": "email"`), "email"},
	"a hint by keys":                         {find(`{"_id": {"$in": [1, 2]}}`, `, "hint": {"_id": 1}`), "_id_"},
	"a count of all":                         {`{"count": "things"}`, ""},
	"a count with a limit":                   {`{"count": "things", "query": {"name": "a"}, "limit": 100}`, "queue"},
	"an aggregation that stops":              {`{"aggregate": "things", "pipeline": [{"$match": {"name": "a"}}, {"$limit": 10}, {"$group": {"_id": "$x"}}], "cursor": {}}`, "queue"},
	"an aggregation in order":                {`{"aggregate": "things", "pipeline": [{"$sort": {"_id": -1}}, {"$limit": 10}, {"$match": {"x": 1}}], "cursor": {}}`, "_id_"},
	"statistics":                             {`{"aggregate": "things", "pipeline": [{"$indexStats": {}}], "cursor": {}}`, "none"},
	"the values of a first field":            {`{"distinct": "things", "key": "name"}`, ""},
	"find and modify":                        {`{"findAndModify": "things", "query": {"_id": 1, "lock": null}, "update": {}}`, "_id_"},
	"an update of one":                       {update(`{"_id": 1, "lock": null}`, ``), "_id_"},
	"an update of many by _id":               {update(`{"_id": {"$in": [1, 2]}, "lock": {"$in": [DATE]}}`, `, "multi": true`), "_id_"},
	"an update of many by a small index":     {update(`{"lock": {"$gt": DATE}, "x": 1}`, `, "multi": true`), "held"},
	"an update of many with a hint":          {update(`{"name": "a", "_id": {"$in": [1, 2]}}`, `, "multi": true, "hint": {"_id": 1}`), "_id_"},
	"a removal of what is found":             {remove(`{"expires": {"$lte": DATE}}`, 0), "expiry"},
	"an insert":                              {`{"insert": "things"}`, "none"},
}

func TestServed(t *testing.T) {
	t.Parallel()
	for name, test := range served {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plans, err := plantest.Check(things, command(t, test[0]))
			if err != nil {
				t.Fatal(err)
			}
			if test[1] == "none" {
				if len(plans) != 0 {
					t.Errorf("%+v, want no query", plans)
				}
			} else if len(plans) != 1 || plans[0].Index != test[1] {
				t.Errorf("by %+v, want the index %q", plans, test[1])
			}
		})
	}
}

// refused are commands that nothing serves, with a part of the reason.
var refused = map[string][2]string{
	"everything":                            {find(`{}`, ``), "no index begins"},
	"a field without an index":              {find(`{"x": 1}`, `, "limit": 1`), "missing: an index {x: 1}"},
	"a field that is not the first":         {find(`{"rank": 1}`, `, "limit": 1`), "missing: an index {rank: 1}"},
	"no limit":                              {find(`{"name": "a"}`, ``), "by the index queue, everything in its bounds is read"},
	"a field looked at in the documents":    {find(`{"name": "a", "x": 1}`, `, "limit": 1`), "by the index queue, x is looked at in the documents"},
	"a sort in memory":                      {find(`{"name": "a"}`, `, "sort": {"x": 1}, "limit": 10`), "missing: an index {name: 1, x: 1}"},
	"a sort with directions mixed":          {find(`{"name": "a"}`, `, "sort": {"at": 1, "rank": 1}, "limit": 10`), "sorted in memory"},
	"a sort behind a range":                 {find(`{"name": {"$gt": "a"}}`, `, "sort": {"at": 1}, "limit": 10`), "sorted in memory"},
	"an order looked through":               {find(`{"x": 1}`, `, "sort": {"_id": 1}, "limit": 1`), "by the index _id_, x is looked at"},
	"an order looked through for its field": {find(`{"at": {"$lte": DATE}}`, `, "sort": {"name": 1}, "limit": 1`), "by the index queue, the whole index is looked through for at"},
	"a negation":                            {find(`{"name": {"$ne": "a"}}`, `, "limit": 1`), "no index begins"},
	"a partial index without its condition": {find(`{"at": {"$lte": DATE}}`, `, "limit": 1`), `does not contain the condition {"at":{"$gt":{"$date"`},
	"a looser condition":                    {find(`{"at": {"$gte": {"$date": 0}}}`, `, "limit": 1`), "does not contain the condition"},
	"a condition on another type":           {find(`{"at": {"$gt": 5}}`, `, "limit": 1`), "does not contain the condition"},
	"a comparison for a $type":              {find(`{"died": {"$lte": DATE}}`, `, "limit": 1`), "does not contain the condition"},
	"a $type for a comparison":              {find(`{"at": {"$type": "date"}}`, `, "limit": 1`), "does not contain the condition"},
	"$in with a value outside":              {find(`{"at": {"$in": [DATE, null]}}`, `, "limit": 1`), "does not contain the condition"},
	"a condition in one alternative":        {find(`{"$or": [{"email": "a"}, {"x": 1}]}`, `, "limit": 1`), "for one alternative of $or, no index begins"},
	"half a condition in an alternative":    {find(`{"$or": [{"worker": "w", "outcome": "running"}, {"worker": "w"}]}`, ``), "for one alternative of $or, the filter does not contain"},
	"an alternative sorted in memory":       {find(`{"$or": [{"name": "a"}, {"name": "b", "at": {"$lte": DATE}}]}`, `, "sort": {"rank": 1}, "limit": 1`), "for one alternative of $or, by the index queue, the documents are sorted"},
	"too many scans to merge":               {find(`{"name": {"$in": [`+strings.Repeat(`"a",`, 200)+`"a"]}}`, `, "sort": {"at": 1}, "limit": 1`), "sorted in memory"},
	"too many values":                       {find(`{"_id": {"$in": [`+strings.Repeat(`1,`, 1000)+`1]}}`, ``), "$in of _id has 1001 values"},
	"too many values in an alternative":     {find(`{"$or": [{"_id": {"$in": [`+strings.Repeat(`1,`, 1000)+`1]}}, {"_id": 1}]}`, ``), "$in of _id has 1001 values"},
	"$nor":                                  {find(`{"$nor": [{"name": "a"}]}`, `, "limit": 1`), "no index begins"},
	"text by how it ends":                   {find(`{"name": {"$regex": "abc$"}}`, `, "limit": 1`), "no index begins"},
	"text by how it begins, in any case":    {find(`{"name": {"$regularExpression": {"pattern": "^abc", "options": "i"}}}`, `, "limit": 1`), "no index begins"},
	"a hint without an index":               {find(`{"email": "a"}`, `, "hint": "gone"`), `the hint "gone" names no declared index`},
	"a hint by other keys":                  {find(`{"email": "a"}`, `, "hint": {"email": -1}`), "names no declared index"},
	"a hint to an index that does not help": {find(`{"email": "a"}`, `, "hint": "queue"`), "no index begins"},
	"a hint to a partial index":             {find(`{"at": {"$lte": DATE}}`, `, "hint": "plans", "limit": 1`), "does not contain the condition"},
	"a natural hint":                        {find(`{"email": "a"}`, `, "hint": {"$natural": 1}`), "names no declared index"},
	"another collection":                    {`{"find": "others", "filter": {"_id": 1}}`, "not declared"},
	"a count without a limit":               {`{"count": "things", "query": {"name": "a"}}`, "there is no limit"},
	"an aggregation that reads on":          {`{"aggregate": "things", "pipeline": [{"$match": {"name": "a"}}, {"$group": {"_id": "$x"}}], "cursor": {}}`, "there is no limit"},
	"a limit behind a group":                {`{"aggregate": "things", "pipeline": [{"$match": {"name": "a"}}, {"$group": {"_id": "$x"}}, {"$limit": 1}], "cursor": {}}`, "there is no limit"},
	"a join":                                {`{"aggregate": "things", "pipeline": [{"$match": {"_id": 1}}, {"$lookup": {}}], "cursor": {}}`, "$lookup is not known"},
	"the values of a second field":          {`{"distinct": "things", "key": "at"}`, "no index begins"},
	"a command of tomorrow":                 {`{"reticulate": "things"}`, "the command reticulate is not known"},
	"find and modify by a plain field":      {`{"findAndModify": "things", "query": {"x": 1}, "update": {}}`, "missing: an index {x: 1}"},
	"an update of many by a name":           {update(`{"name": "a", "x": 1}`, `, "multi": true`), "x is looked at in the documents"},
	"an update of many behind a range":      {update(`{"name": "a", "at": {"$lte": DATE}, "lock": null}`, `, "multi": true`), "there is no limit"},
	"an update by _id or by a name":         {update(`{"name": "a", "_id": {"$in": [1, 2]}}`, `, "multi": true`), "the server may choose the index queue instead of that on _id"},
	"a second statement":                    {`{"update": "things", "updates": [{"q": {"_id": 1}, "u": {}}, {"q": {"x": 1}, "u": {}}]}`, "missing: an index {x: 1}"},
	"a removal by a plain field":            {remove(`{"x": {"$lte": DATE}}`, 0), "missing: an index {x: 1}"},
	"a removal of one by a plain field":     {remove(`{"x": 1}`, 1), "missing: an index {x: 1}"},
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plans, err := plantest.Check(things, command(t, test[0]))
			if err == nil || !strings.Contains(err.Error(), test[1]) {
				t.Errorf("the error is %v, want %q; by %+v", err, test[1], plans)
			}
		})
	}
}

// TestAProblemTellsWhatToLookFor: somebody reads it in the output of a suite.
func TestAProblemTellsWhatToLookFor(t *testing.T) {
	t.Parallel()
	_, err := plantest.Check(things, command(t, find(`{"name": "a"}`, `, "sort": {"x": -1}, "limit": 10`)))
	if _, ok := errors.AsType[*plantest.Problem](err); !ok {
		t.Errorf("the error is a %T", err)
	}
	const want = `find things, filter {"name":"a"}, sort {"x":-1}, limit 10: by the index queue, the documents are sorted in memory; ` +
		`the filter does not contain the condition {"type":"single"} of the index single; missing: an index {name: 1, x: -1}`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want\n%s", err, want)
	}
}

func command(t *testing.T, text string) bson.Raw {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
