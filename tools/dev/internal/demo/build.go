package demo

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// How much there is of what. The embedded database reads whole collections,
// so everything stays in the thousands.
const (
	userCount     = 300
	examCount     = 20
	practiceCount = 4000
	examsTaken    = 1500
	reminderCount = 120
	favoriteCount = 150
	journeyCount  = 60
)

// span is how far back the results go.
const span = 120 * 24 * time.Hour

// Collection is the documents of one collection, oldest first.
type Collection struct {
	Name      string
	Documents []any
}

// generator makes documents that depend only on the moment.
type generator struct {
	*rand.Rand
	now  time.Time // UTC, whole milliseconds
	zone *time.Location
	made uint32 // ids made
}

// Build makes every document as of now. The same now gives the same documents.
func Build(now time.Time) []Collection {
	g := &generator{
		Rand: rand.New(rand.NewPCG(20250801, 990)),
		now:  now.UTC().Truncate(time.Millisecond),
		zone: time.FixedZone("ICT", 7*60*60), // Viet Nam, where most learners are
	}

	questions := g.questions()
	exams := g.exams(questions)
	stages := g.stages(questions, exams)
	people := g.users()
	learners := g.learners(people)
	practices := g.practices(learners)
	taken := g.examResults(learners, exams)

	return []Collection{
		{"users", documents(people)},
		{"questions", documents(questions)},
		{"exams", documents(exams)},
		{"lessons", documents(g.lessons(questions))},
		{"grammars", documents(g.grammars())},
		{"vocabularytopics", documents(g.vocabulary())},
		{"stages", documents(stages)},
		{"userjourneys", documents(g.journeys(people, stages))},
		{"practicehistories", documents(practices)},
		{"examhistories", documents(taken)},
		{"favorite_questions", documents(g.favorites(people, questions))},
		{"reminders", documents(g.reminders(people))},
		{"notifications", documents(g.notifications(people))},
	}
}

func documents[T any](in []T) []any {
	out := make([]any, len(in))
	for i, d := range in {
		out[i] = d
	}

	return out
}

// id makes an ObjectID of the given time, as the driver does: seconds, five
// bytes for the process, a counter.
func (g *generator) id(at time.Time) bson.ObjectID {
	var id bson.ObjectID

	g.made++
	binary.BigEndian.PutUint32(id[0:], uint32(at.Unix()))
	copy(id[4:], "demo!")
	id[9], id[10], id[11] = byte(g.made>>16), byte(g.made>>8), byte(g.made)

	return id
}

// stamps are those of a document that was written once.
func stamps(at time.Time) Stamps { return Stamps{CreatedAt: at, UpdatedAt: at} }

// before is a moment up to d before now.
func (g *generator) before(d time.Duration) time.Time { return g.now.Add(-g.duration(d)) }

// duration is up to d, in whole milliseconds.
func (g *generator) duration(d time.Duration) time.Duration {
	return time.Duration(g.Int64N(d.Milliseconds()+1)) * time.Millisecond
}

// chance is true in percent of the cases.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// pick is one of the choices.
func pick[T any](g *generator, choices []T) T { return choices[g.IntN(len(choices))] }

// sample is n different choices in random order.
func sample[T any](g *generator, choices []T, n int) []T {
	out := make([]T, 0, n)
	for _, i := range g.Perm(len(choices))[:min(n, len(choices))] {
		out = append(out, choices[i])
	}

	return out
}
