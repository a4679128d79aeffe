package gate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// statements tells how a command carries its statements and how many of them
// FerretDB may get at once.
type statements struct {
	field string
	most  int
}

// split lists the commands that the gate sends in several pieces.
//
//   - update: FerretDB keeps the read cursor of each statement, and with it
//     one of its 100 SQLite connections, until the whole command has ended; a
//     bulk write with more statements waits for itself for ever. It also stops
//     an unordered update at the first error and loses which statement failed
//     or upserted. One statement at a time has none of these defects.
//   - delete: so that narrow can help each of them.
//   - insert: FerretDB goes on with an ordered insert after an error in an
//     earlier batch of 100 documents.
var split = map[string]statements{
	"update": {field: "updates", most: 1},
	"delete": {field: "deletes", most: 1},
	"insert": {field: "documents", most: 100},
}

// pieces is a request cut into requests that FerretDB executes correctly.
type pieces struct {
	requests []message
	first    []int // index of the first statement of each request
	ordered  bool  // stop at the first error
}

// cut cuts a request. It returns nil requests when the request can go as it is.
func cut(c Command, m message) (pieces, error) {
	how, ok := split[c.Name]
	if !ok || m.opCode() != opMsg {
		return pieces{}, nil
	}

	doc, all, err := statementsOf(m.body(), how.field)
	if err != nil || len(all) <= how.most {
		return pieces{}, err
	}

	p := pieces{ordered: true}
	if v, ok := doc.Lookup("ordered").BooleanOK(); ok {
		p.ordered = v
	}

	first := 0
	for chunk := range slices.Chunk(all, how.most) {
		p.requests = append(p.requests, compose(m, doc, how.field, chunk))
		p.first = append(p.first, first)
		first += len(chunk)
	}

	return p, nil
}

// statementsOf returns the command document without its statements, and the
// statements, which are an array of the document or a sequence beside it.
func statementsOf(body []byte, field string) (bson.Raw, []bson.Raw, error) {
	sections, err := sectionsOf(body)
	if err != nil {
		return nil, nil, err
	}

	doc, all := sections.command, sections.sequences[field]
	if all != nil {
		return doc, all, nil
	}

	array, ok := doc.Lookup(field).ArrayOK()
	if !ok {
		return doc, nil, nil // the server says what is missing
	}

	values, err := array.Values()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", errMalformed, field, err)
	}

	for _, v := range values {
		statement, ok := v.DocumentOK()
		if !ok {
			return doc, nil, nil // likewise
		}

		all = append(all, statement)
	}

	return replace(doc, field, nil), all, nil
}

// replace returns doc with another document as the value of one field, or
// without the field if value is nil.
func replace(doc bson.Raw, field string, value bson.Raw) bson.Raw {
	elements, err := doc.Elements()
	if err != nil {
		return doc
	}

	out := make([]byte, 4, len(doc))

	for _, e := range elements {
		switch {
		case e.Key() != field:
			out = append(out, e...)
		case value != nil:
			out = append(out, byte(bson.TypeEmbeddedDocument))
			out = append(out, field...)
			out = append(out, 0)
			out = append(out, value...)
		}
	}

	out = append(out, 0)
	binary.LittleEndian.PutUint32(out, uint32(len(out)))

	return out
}

// compose makes an OP_MSG with the identity of m, a command document and a
// sequence of statements.
func compose(m message, doc bson.Raw, field string, chunk []bson.Raw) message {
	out := slices.Clone(m[:headerLen])
	out = append(out, 0, 0, 0, 0) // no flags
	out = append(out, 0)
	out = append(out, doc...)

	if len(chunk) > 0 {
		out = append(out, 1)
		start := len(out)
		out = append(out, 0, 0, 0, 0)
		out = append(out, field...)
		out = append(out, 0)

		for _, statement := range chunk {
			out = append(out, statement...)
		}

		binary.LittleEndian.PutUint32(out[start:], uint32(len(out)-start))
	}

	binary.LittleEndian.PutUint32(out, uint32(len(out)))

	return out
}

// sections are the parts of an OP_MSG.
type sections struct {
	command   bson.Raw
	sequences map[string][]bson.Raw
}

// sectionsOf reads a whole OP_MSG body.
func sectionsOf(body []byte) (sections, error) {
	s := sections{sequences: map[string][]bson.Raw{}}

	err := eachSection(body, func(kind byte, content []byte) error {
		if kind == 0 {
			s.command = content
			return nil
		}

		identifier, rest, found := bytes.Cut(content[4:], []byte{0})
		if !found {
			return fmt.Errorf("%w: sequence without a name", errMalformed)
		}

		documents, err := sequence(rest)
		s.sequences[string(identifier)] = documents

		return err
	})
	if err != nil {
		return sections{}, err
	}

	return s, nil
}

// sequence reads documents that follow each other.
func sequence(b []byte) ([]bson.Raw, error) {
	var documents []bson.Raw

	for len(b) > 0 {
		n, err := sizePrefix(b)
		if err != nil {
			return nil, err
		}

		documents = append(documents, bson.Raw(b[:n]))
		b = b[n:]
	}

	return documents, nil
}
