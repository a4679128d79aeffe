package gate

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// outcome gathers the answers to the pieces of one request.
type outcome struct {
	last     message
	n        int64
	modified *int64
	upserted []upserted
	errors   []writeError
}

type upserted struct {
	Index int           `bson:"index"`
	ID    bson.RawValue `bson:"_id"`
}

type writeError struct {
	Index   int    `bson:"index"`
	Code    int32  `bson:"code"`
	Message string `bson:"errmsg"`
}

// reply is what an answer to update or insert holds.
type reply struct {
	OK       float64      `bson:"ok"`
	N        int64        `bson:"n"`
	Modified *int64       `bson:"nModified"`
	Upserted []upserted   `bson:"upserted"`
	Errors   []writeError `bson:"writeErrors"`
	Code     int32        `bson:"code"`
	Message  string       `bson:"errmsg"`
}

// add takes in the answer to the piece whose first statement is number first.
func (o *outcome) add(answer message, first int) error {
	if answer.opCode() != opMsg {
		return fmt.Errorf("%w: answer with operation code %d", errMalformed, answer.opCode())
	}

	sections, err := sectionsOf(answer.body())
	if err != nil {
		return err
	}

	var r reply
	if err := bson.Unmarshal(sections.command, &r); err != nil {
		return fmt.Errorf("%w: answer: %w", errMalformed, err)
	}

	o.last = answer
	o.n += r.N

	if r.Modified != nil {
		total := *r.Modified
		if o.modified != nil {
			total += *o.modified
		}

		o.modified = &total
	}

	if r.OK != 1 {
		// MongoDB reports what is wrong with one statement as its error.
		r.Errors = []writeError{{Code: r.Code, Message: r.Message}}
	}

	for _, u := range r.Upserted {
		u.Index += first
		o.upserted = append(o.upserted, u)
	}

	for _, e := range r.Errors {
		e.Index += first
		o.errors = append(o.errors, e)
	}

	return nil
}

// answer is the answer to the whole request.
func (o *outcome) answer() (message, error) {
	doc := bson.D{{Key: "n", Value: int32(o.n)}}

	if o.modified != nil {
		doc = append(doc, bson.E{Key: "nModified", Value: int32(*o.modified)})
	}

	if len(o.upserted) > 0 {
		doc = append(doc, bson.E{Key: "upserted", Value: o.upserted})
	}

	if len(o.errors) > 0 {
		doc = append(doc, bson.E{Key: "writeErrors", Value: o.errors})
	}

	raw, err := bson.Marshal(append(doc, bson.E{Key: "ok", Value: 1.0}))
	if err != nil {
		return nil, fmt.Errorf("compose an answer: %w", err)
	}

	return compose(o.last, raw, "", nil), nil
}
