package weeklyreportsmongo

import (
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Numbers that not every engine stores are read all the same.
func TestNumbersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		questions, correct any
		readable           bool
	}{
		"whole":        {10, int64(3), true},
		"JavaScript's": {10.0, 3.0, true},
		"NaN":          {math.NaN(), 0, false},
		"infinite":     {math.Inf(1), 0, false},
		"minus":        {math.Inf(-1), 0, false},
		"right NaN":    {10, math.NaN(), false},
		"huge":         {1e300, 0, false},
	} {
		document, err := bson.Marshal(bson.D{{Key: "totalQuestions", Value: c.questions}, {Key: "correctAnswers", Value: c.correct}})
		if err != nil {
			t.Fatal(err)
		}
		if got := read(document); got.Readable != c.readable {
			t.Errorf("%s: %+v, want readable: %v", name, got, c.readable)
		}
	}
}
