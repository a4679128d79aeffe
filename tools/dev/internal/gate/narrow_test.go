package gate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// answerWith makes the body of an OP_MSG answer.
func answerWith(t *testing.T, d bson.D) []byte {
	t.Helper()

	return append(make([]byte, 5), marshal(t, d)...)
}

// firstBatch is FerretDB's answer to an aggregate.
func firstBatch(docs ...any) bson.D {
	return bson.D{
		{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: append(bson.A{}, docs...)}, {Key: "id", Value: int64(0)}}},
		{Key: "ok", Value: 1.0},
	}
}

// statement is the first document of the sequence after the command document.
func statement(t *testing.T, r received) bson.Raw {
	t.Helper()

	command := bson.Raw(r.document())

	length, _, ok := readInt32(command)
	if !ok || int(length) >= len(command) {
		t.Fatal("the request has no statements")
	}

	rest := command[length:]
	for i, b := range rest[5:] {
		if b == 0 {
			return rest[5+i+1:]
		}
	}

	t.Fatal("the sequence has no name")

	return nil
}

func readInt32(b []byte) (int32, []byte, bool) {
	if len(b) < 4 {
		return 0, nil, false
	}

	return int32(b[0]) | int32(b[1])<<8 | int32(b[2])<<16 | int32(b[3])<<24, b[4:], true
}

func TestFencedWriteIsLookedUpByID(t *testing.T) {
	t.Parallel()

	id := bson.NewObjectID()
	fence := bson.D{{Key: "_id", Value: id}, {Key: "lockedAt", Value: bson.DateTime(5)}}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: int32(1)}}}}

	for _, tc := range []struct {
		name    string
		request request
		filter  func(t *testing.T, r received) bson.Raw
	}{
		{
			name: "update",
			request: request{
				command: bson.D{{Key: "update", Value: "jobs"}, {Key: "$db", Value: "a"}}, sequence: "updates",
				docs: []bson.D{{{Key: "q", Value: fence}, {Key: "u", Value: set}}},
			},
			filter: func(t *testing.T, r received) bson.Raw { return statement(t, r).Lookup("q").Document() },
		},
		{
			name: "delete in the command document",
			request: request{command: bson.D{
				{Key: "delete", Value: "jobs"},
				{Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: fence}, {Key: "limit", Value: int32(1)}}}},
				{Key: "$db", Value: "a"},
			}},
			filter: func(t *testing.T, r received) bson.Raw { return statement(t, r).Lookup("q").Document() },
		},
		{
			name: "findAndModify",
			request: request{command: bson.D{
				{Key: "findAndModify", Value: "jobs"},
				{Key: "query", Value: fence},
				{Key: "update", Value: set},
				{Key: "$db", Value: "a"},
			}},
			filter: func(_ *testing.T, r received) bson.Raw { return bson.Raw(r.document()).Lookup("query").Document() },
		},
	} {
		for _, matches := range []bool{true, false} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()

				s := newServer(t)
				c := dial(t, start(t, s, nil))
				c.send(tc.request)

				question := s.next(t)
				if question.command() != "aggregate" {
					t.Fatalf("the server was sent %s first, want aggregate", question.command())
				}

				asked := bson.Raw(question.document()).Lookup("pipeline", "1", "$match").Document()
				if diff := cmp.Diff(marshal(t, fence), []byte(asked)); diff != "" {
					t.Errorf("FerretDB was not asked the whole filter: %s", diff)
				}

				if matches {
					question.answer(answerWith(t, firstBatch(bson.D{{Key: "_id", Value: id}})))
				} else {
					question.answer(answerWith(t, firstBatch()))
				}

				write := s.next(t)

				filter := tc.filter(t, write)
				if elements, err := filter.Elements(); err != nil || len(elements) != 1 {
					t.Fatalf("the filter is %s (%v), want only _id", filter, err)
				}

				if got := filter.Lookup("_id").ObjectID() == id; got != matches {
					t.Errorf("the filter looks for the document: %t, want %t", got, matches)
				}

				write.answer(okAnswer(t))
				c.receive()
			})
		}
	}
}

func TestWritesThatAreSentAsTheyAre(t *testing.T) {
	t.Parallel()

	update := func(statement bson.D) request {
		return request{
			command:  bson.D{{Key: "update", Value: "jobs"}, {Key: "$db", Value: "a"}},
			sequence: "updates", docs: []bson.D{statement},
		}
	}
	set := bson.E{Key: "u", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: int32(1)}}}}}

	for name, r := range map[string]request{
		"only _id":        update(bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: "x"}}}, set}),
		"no _id":          update(bson.D{{Key: "q", Value: bson.D{{Key: "a", Value: 1}, {Key: "b", Value: 1}}}, set}),
		"_id of a number": update(bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: 1}, {Key: "b", Value: 1}}}, set}),
		"upsert": update(bson.D{
			{Key: "q", Value: bson.D{{Key: "_id", Value: "x"}, {Key: "b", Value: 1}}}, set, {Key: "upsert", Value: true},
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newServer(t)
			c := dial(t, start(t, s, nil))
			c.send(r)

			got := s.next(t)
			if diff := cmp.Diff(r.bytes(t), got.raw); diff != "" {
				t.Error(diff)
			}

			got.answer(okAnswer(t))
			c.receive()
		})
	}
}

func TestRefusedQuestionLeavesTheWriteAsItIs(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	c := dial(t, start(t, s, nil))
	r := request{command: bson.D{
		{Key: "findAndModify", Value: "jobs"},
		{Key: "query", Value: bson.D{{Key: "_id", Value: "x"}, {Key: "$expr", Value: true}}},
		{Key: "remove", Value: true},
		{Key: "$db", Value: "a"},
	}}
	c.send(r)

	s.next(t).answer(answerWith(t, bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "no"}}))

	got := s.next(t)
	if diff := cmp.Diff(r.bytes(t), got.raw); diff != "" {
		t.Error(diff)
	}

	got.answer(okAnswer(t))
	c.receive()
}
