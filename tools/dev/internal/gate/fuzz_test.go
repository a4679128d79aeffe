package gate_test

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/dev/internal/gate"
)

// FuzzRequest feeds the gate's parser with what a broken or hostile client
// could send. Whatever it accepts must still be the same statements in the
// same order after cutting.
func FuzzRequest(f *testing.F) {
	update := bson.D{{Key: "update", Value: "jobs"}, {Key: "$db", Value: "a"}}
	statements := []bson.D{{{Key: "q", Value: bson.D{}}}, {{Key: "q", Value: bson.D{{Key: "_id", Value: "x"}}}}}

	for _, r := range []request{
		find("a", 1),
		insertInto("a", 2),
		{command: update, sequence: "updates", docs: statements},
		{command: update, sequence: "updates", docs: statements, flags: checksumPresent | moreToCome, checksum: true},
		{command: append(update, bson.E{Key: "updates", Value: statements})},
		{command: append(update, bson.E{Key: "updates", Value: bson.A{1}})},
	} {
		f.Add(r.bytes(f))
	}

	f.Add(frame(1, opQuery, []byte("\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x00")))

	f.Fuzz(func(t *testing.T, stream []byte) {
		c, pieces, err := gate.ParseRequest(stream)
		if err != nil {
			return
		}

		if c.DB == "" {
			t.Fatal("a request without a database was accepted")
		}

		if pieces == nil {
			return
		}

		whole, err := gate.Statements(c, stream[:length(stream)])
		if err != nil {
			t.Fatal(err)
		}

		var again [][]byte

		for _, p := range pieces {
			same, _, err := gate.ParseRequest(p)
			if err != nil || same != c {
				t.Fatalf("a piece is %+v (%v), the request was %+v", same, err, c)
			}

			part, err := gate.Statements(c, p)
			if err != nil {
				t.Fatal(err)
			}

			again = append(again, part...)
		}

		if !bytes.Equal(bytes.Join(whole, nil), bytes.Join(again, nil)) {
			t.Fatalf("%d statements became %d others", len(whole), len(again))
		}
	})
}

func length(stream []byte) int {
	return int(stream[0]) | int(stream[1])<<8 | int(stream[2])<<16 | int(stream[3])<<24
}

// FuzzAnswer feeds the merging of answers.
func FuzzAnswer(f *testing.F) {
	for _, d := range []bson.D{
		{{Key: "ok", Value: 1.0}, {Key: "n", Value: 1}, {Key: "nModified", Value: int64(1)}},
		{{Key: "ok", Value: 0.0}, {Key: "code", Value: 9}, {Key: "errmsg", Value: "no"}},
		{{Key: "ok", Value: 1}, {Key: "upserted", Value: bson.A{bson.D{{Key: "index", Value: 0}, {Key: "_id", Value: "x"}}}}},
	} {
		f.Add(request{command: d}.bytes(f))
	}

	f.Fuzz(func(_ *testing.T, stream []byte) { _ = gate.AddAnswer(stream) })
}
