package demo

import (
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// learner is a user and how much he or she learns.
type learner struct {
	user
	weight int       // share of the results
	from   time.Time // first possible result
	to     time.Time // last possible result
	skill  float64   // share of right answers in the beginning
	streak int       // days without a gap up to today
}

// learners gives every user a habit: some learn every day, most now and then,
// some stopped weeks ago, and some never began.
func (g *generator) learners(people []user) []learner {
	var out []learner

	for _, u := range people {
		l := learner{user: u, weight: 1 + g.IntN(4), from: u.CreatedAt, to: g.now, skill: 0.35 + 0.4*g.Float64()}
		if begin := g.now.Add(-span); l.from.Before(begin) {
			l.from = begin
		}

		switch habit := g.IntN(100); {
		case habit < 8:
			continue // never began
		case habit < 25:
			l.to = g.now.Add(-8 * 24 * time.Hour).Add(-g.duration(30 * 24 * time.Hour))
			if !l.to.After(l.from) {
				continue
			}
		case habit < 35:
			l.weight, l.streak = 10, 2+g.IntN(12)
		case habit < 50:
			l.weight = 7
		}

		out = append(out, l)
	}

	return out
}

// lottery holds each learner as often as his or her weight says.
func lottery(learners []learner) []learner {
	var out []learner

	for _, l := range learners {
		for range l.weight {
			out = append(out, l)
		}
	}

	return out
}

// moment is when somebody learns: any day between the limits, mostly before
// work, at lunch, and in the evening.
func (g *generator) moment(from, to time.Time) time.Time {
	for {
		at := from.Add(g.duration(to.Sub(from)))

		switch h := at.In(g.zone).Hour(); {
		case h >= 19 && h < 23, h >= 6 && h < 8, h == 12:
			return at
		case h >= 8 && g.chance(25):
			return at
		}

		if to.Sub(from) < 24*time.Hour {
			return at // there may be no better hour
		}
	}
}

var practiceTypes = []string{
	imageDescription, askAndAnswer, conversation, shortTalk, blankQuestion, blankQuestion, blankQuestion, blankParagraph, readAndUnderstand,
}

// practices are the streaks and then what falls to everybody by chance.
func (g *generator) practices(learners []learner) []practiceHistory {
	var out []practiceHistory

	for _, l := range learners {
		for day := range l.streak {
			at := g.now.Add(-time.Duration(day)*24*time.Hour - g.duration(2*time.Hour))
			if at.After(l.from) {
				out = append(out, g.practice(l, at))
			}
		}
	}

	tickets := lottery(learners)
	for len(out) < practiceCount {
		l := pick(g, tickets)
		out = append(out, g.practice(l, g.moment(l.from, l.to)))
	}

	slices.SortFunc(out, func(a, b practiceHistory) int { return a.EndTime.Compare(b.EndTime) })

	return out
}

func (g *generator) practice(l learner, end time.Time) practiceHistory {
	total := pick(g, []int{5, 10, 10, 15, 20})
	right, rate := g.score(l, end, total)
	start := end.Add(-time.Duration(total) * (15*time.Second + g.duration(30*time.Second)))
	saved := g.saved(end)

	return practiceHistory{
		ID: g.id(saved), User: l.ID, StartTime: start, EndTime: end, LessonType: pick(g, practiceTypes),
		TotalQuestions: number(total), CorrectAnswers: number(right), AccuracyRate: rate,
		QuestionAnswers: bson.A{}, Stamps: stamps(saved),
	}
}

// examResults are exams that learners took.
func (g *generator) examResults(learners []learner, exams []exam) []examHistory {
	tickets := lottery(learners)
	out := make([]examHistory, examsTaken)

	for i := range out {
		l, e := pick(g, tickets), pick(g, exams)
		end := g.moment(l.from, l.to)

		total := 0
		for _, s := range e.Sections {
			total += len(s.Questions)
		}

		right, rate := g.score(l, end, total)
		spent := time.Duration(float64(e.Duration) * (0.6 + 0.4*g.Float64()) * float64(time.Minute)).Truncate(time.Millisecond)
		saved := g.saved(end)

		out[i] = examHistory{
			ID: g.id(saved), User: l.ID, StartTime: end.Add(-spent), EndTime: end,
			TotalQuestions: number(total), CorrectAnswers: number(right), AccuracyRate: rate,
			Sections: bson.A{}, Exam: examCopy{Name: e.Name, CreatedAt: e.CreatedAt}, Stamps: stamps(saved),
		}
	}

	slices.SortFunc(out, func(a, b examHistory) int { return a.EndTime.Compare(b.EndTime) })

	return out
}

// saved is when a result reached the server: at once, and never in the future.
func (g *generator) saved(end time.Time) time.Time {
	if at := end.Add(g.duration(2 * time.Second)); at.Before(g.now) {
		return at
	}

	return g.now
}

// score is how many answers are right, and the percentage with two decimals.
// It rises by up to a fifth in the time.
func (g *generator) score(l learner, end time.Time, total int) (right int, rate number) {
	progress := 0.2 * float64(end.Sub(l.from)) / float64(span)

	for range total {
		if g.Float64() < l.skill+progress {
			right++
		}
	}

	return right, number(math.Round(float64(right)/float64(total)*10000) / 100)
}
