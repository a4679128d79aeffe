package gate

import (
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// FerretDB finds a document by an index only when the filter is exactly
// {_id: X}. With any further condition, such as the lock that a fenced write
// repeats, it reads and decodes the whole collection. The gate holds the
// database's lock, so no document changes between two commands of its own: it
// asks FerretDB whether document X meets the whole filter and then writes by
// {_id: X} alone. FerretDB stays the only judge of the filter.

// filterField names the filter in a statement of update and delete, and in
// the command document of findAndModify.
var filterField = map[string]string{
	"update":        "q",
	"delete":        "q",
	"findAndModify": "query",
	"findandmodify": "query",
}

// narrow returns m with a filter that FerretDB can look up, or m itself when
// that is impossible or not needed. The caller holds the database's lock.
func narrow(c Command, m message, server io.Writer, fromServer io.Reader) (message, error) {
	doc, statement, ok := onlyStatement(c, m)
	if !ok {
		return m, nil
	}

	field := filterField[c.Name]

	filter, ok := statement.Lookup(field).DocumentOK()
	if !ok || upserts(statement) {
		return m, nil
	}

	id, ok := lookedUp(filter)
	if !ok {
		return m, nil
	}

	matches, known, err := matching(c, m, id, filter, server, fromServer)
	if err != nil || !known {
		return m, err
	}

	if !matches {
		id = bson.NewObjectID() // the filter finds nothing, as nothing has this _id
	}

	found, err := bson.Marshal(bson.D{{Key: "_id", Value: id}})
	if err != nil {
		return nil, err
	}

	narrowed := replace(statement, field, found)

	if how, ok := split[c.Name]; ok {
		return compose(m, doc, how.field, []bson.Raw{narrowed}), nil
	}

	return compose(m, narrowed, "", nil), nil
}

// onlyStatement returns the command document and its single statement; for
// findAndModify they are the same document.
func onlyStatement(c Command, m message) (doc, statement bson.Raw, ok bool) {
	if filterField[c.Name] == "" || m.opCode() != opMsg {
		return nil, nil, false
	}

	how, several := split[c.Name]

	doc, all, err := statementsOf(m.body(), how.field)

	switch {
	case err != nil:
		return nil, nil, false
	case !several:
		return doc, doc, true
	case len(all) != 1:
		return nil, nil, false
	}

	return doc, all[0], true
}

// upserts reports whether a statement may insert; the filter's conditions
// then become fields.
func upserts(statement bson.Raw) bool {
	v, err := statement.LookupErr("upsert")
	if err != nil {
		return false
	}

	upsert, ok := v.BooleanOK()

	return !ok || upsert
}

// lookedUp returns the _id that a filter asks for, if the filter has further
// conditions and FerretDB can look the _id up.
func lookedUp(filter bson.Raw) (id any, ok bool) {
	elements, err := filter.Elements()
	if err != nil || len(elements) < 2 {
		return nil, false
	}

	v := filter.Lookup("_id")

	switch v.Type {
	case bson.TypeObjectID, bson.TypeString:
		return v, true
	default:
		return nil, false
	}
}

// matching asks FerretDB whether the document with this id meets the filter.
// It is not known when FerretDB refuses the question.
func matching(
	c Command, m message, id any, filter bson.Raw, server io.Writer, fromServer io.Reader,
) (matches, known bool, err error) {
	question, err := bson.Marshal(bson.D{
		{Key: "aggregate", Value: c.Collection},
		{Key: "pipeline", Value: bson.A{
			bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: id}}}}, // this one uses the index
			bson.D{{Key: "$match", Value: filter}},
			bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}},
		}},
		{Key: "cursor", Value: bson.D{}},
		{Key: "$db", Value: c.DB},
	})
	if err != nil {
		return false, false, err
	}

	answer, err := exchange(compose(m, question, "", nil), server, fromServer)
	if err != nil {
		return false, false, err
	}

	doc, err := bodySection(answer.body())
	if err != nil {
		return false, false, err
	}

	batch, ok := doc.Lookup("cursor", "firstBatch").ArrayOK()
	if !ok {
		return false, false, nil
	}

	found, err := batch.Values()

	return len(found) > 0, true, err
}
