package demo

import (
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// exams are made of questions of each part, and older than every result.
func (g *generator) exams(questions []question) []exam {
	out := make([]exam, examCount)
	at := g.now.Add(-span - 30*24*time.Hour)

	for i := range out {
		at = at.Add(g.duration(24 * time.Hour))
		e := exam{ID: g.id(at), Name: fmt.Sprintf("TOEIC Practice Test %d", i+1), Duration: 60, Stamps: stamps(at)}

		if i%4 == 3 {
			e.Name, e.Duration = fmt.Sprintf("TOEIC Mini Test %d", i/4+1), 30
		}

		for _, of := range questionsOf[:7] {
			e.Sections = append(e.Sections, section{
				Type: of.kind, Questions: ids(sample(g, ofType(questions, of.kind), int(e.Duration)/10)), ID: g.id(at),
			})
		}

		out[i] = e
	}

	return out
}

func ofType(questions []question, kind string) []question {
	return slices.DeleteFunc(slices.Clone(questions), func(q question) bool { return q.Type != kind })
}

func ids(questions []question) []bson.ObjectID {
	out := make([]bson.ObjectID, len(questions))
	for i, q := range questions {
		out[i] = q.ID
	}

	return out
}

// lessons are one for each part, with copies of some questions.
func (g *generator) lessons(questions []question) []lesson {
	var out []lesson

	for _, of := range questionsOf[:7] {
		at := g.before(30 * 24 * time.Hour).Add(-span)
		l := lesson{ID: g.id(at), Type: of.kind, Stamps: stamps(at)}

		for _, q := range sample(g, ofType(questions, of.kind), 5) {
			l.Questions = append(l.Questions, lessonQuestion{Content: q.Content, ID: g.id(at)})
		}

		out = append(out, l)
	}

	return out
}

const daysOfStage = 5

// stages lead from one score to the next.
func (g *generator) stages(questions []question, exams []exam) []stage {
	var out []stage

	for i, from := range []int{0, 300, 450, 600, 750} {
		at := g.now.Add(-span - time.Duration(20-i)*24*time.Hour)
		s := stage{ID: g.id(at), MinScore: number(from), TargetScore: number(from + 150), Stamps: stamps(at)}

		if from == 0 {
			s.TargetScore = 300
		}

		for day := range daysOfStage {
			s.Days = append(s.Days, stageDay{
				DayNumber: number(day + 1), Questions: ids(sample(g, questions, 8)), Exam: pick(g, exams).ID, ID: g.id(at),
			})
		}

		out = append(out, s)
	}

	return out
}

// journeys are one for each of some users; a few began anew and keep the old
// one as REPLACED.
func (g *generator) journeys(people []user, stages []stage) []journey {
	var out []journey

	for i, u := range sample(g, people, journeyCount) {
		at := g.before(min(span, g.now.Sub(u.CreatedAt)))
		j := g.journey(u, stages, at)

		if i%10 == 0 {
			old := g.journey(u, stages, u.CreatedAt)
			old.State, old.ReplacedAt, old.CompletedAt, old.UpdatedAt = "REPLACED", new(at), nil, at
			out = append(out, old)
		}

		out = append(out, j)
	}

	slices.SortFunc(out, func(a, b journey) int { return a.CreatedAt.Compare(b.CreatedAt) })

	return out
}

// journey walks through two or three stages, one day of the plan every few
// days of the calendar, until now.
func (g *generator) journey(u user, stages []stage, began time.Time) journey {
	first := g.IntN(len(stages) - 1)
	j := journey{ID: g.id(began), User: u.ID, State: "IN_PROGRESS", StartedAt: began, Stamps: stamps(began)}
	at := began

	for i, s := range stages[first:min(first+3, len(stages))] {
		step, end := g.walk(s, at, i == 0)
		j.Stages = append(j.Stages, step)

		if step.State == "IN_PROGRESS" {
			j.CurrentStageIndex = number(i)
		}

		at = end
	}

	if last := j.Stages[len(j.Stages)-1]; last.State == "COMPLETED" {
		j.State, j.CompletedAt, j.CurrentStageIndex = "COMPLETED", last.CompletedAt, number(len(j.Stages)-1)
	}

	if at.Before(g.now) {
		j.UpdatedAt = at
	}

	return j
}

// walk is one stage from a moment on. It returns when the next can begin,
// which is after now when the stage is not completed.
func (g *generator) walk(s stage, at time.Time, first bool) (journeyStage, time.Time) {
	out := journeyStage{StageID: s.ID, MinScore: s.MinScore, TargetScore: s.TargetScore, State: "NOT_STARTED", ID: g.id(s.CreatedAt)}

	if first || at.Before(g.now) {
		out.Started, out.StartedAt, out.State = true, new(at), "IN_PROGRESS"
	}

	for _, d := range s.Days {
		day := journeyDay{DayNumber: d.DayNumber, Questions: d.Questions, ID: g.id(s.CreatedAt)}
		begin, end := at, at.Add(20*time.Minute+g.duration(40*time.Minute))

		if out.Started && begin.Before(g.now) {
			day.Started, day.StartedAt = true, new(begin)
		}

		if out.Started && end.Before(g.now) {
			day.Completed, day.CompletedAt, day.Score = true, new(end), new(number(50+g.IntN(51)))
		}

		out.Days = append(out.Days, day)
		at = at.Add(24*time.Hour + g.duration(3*24*time.Hour))
	}

	end := at.Add(time.Hour)
	out.FinalTest.Unlocked = out.Started && at.Before(g.now)

	if out.FinalTest.Unlocked && end.Before(g.now) {
		out.FinalTest = finalTest{
			Unlocked: true, Started: true, Completed: true, Passed: true,
			StartedAt: new(at), CompletedAt: new(end), Score: new(number(70 + g.IntN(31))),
		}
		out.State, out.CompletedAt = "COMPLETED", new(end)

		return out, end
	}

	return out, g.now.Add(time.Hour)
}
