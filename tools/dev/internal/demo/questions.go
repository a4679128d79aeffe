package demo

import (
	"fmt"
	"strings"
	"time"
)

// Types of lessons and questions, the parts of a TOEIC test.
const (
	imageDescription  = "IMAGE_DESCRIPTION"
	askAndAnswer      = "ASK_AND_ANSWER"
	conversation      = "CONVERSATION_PIECE"
	shortTalk         = "SHORT_TALK"
	blankQuestion     = "FILL_IN_THE_BLANK_QUESTION"
	blankParagraph    = "FILL_IN_THE_PARAGRAPH"
	readAndUnderstand = "READ_AND_UNDERSTAND"
	stageFinalTest    = "STAGE_FINAL_TEST"
)

// questionsOf is how many questions there are of each type.
var questionsOf = []struct {
	kind  string
	count int
}{
	{imageDescription, 40},
	{askAndAnswer, 60},
	{conversation, 40},
	{shortTalk, 40},
	{blankQuestion, 140},
	{blankParagraph, 30},
	{readAndUnderstand, 40},
	{stageFinalTest, 10},
}

// questions are numbered from 1 and older than every result.
func (g *generator) questions() []question {
	var out []question

	at := g.now.Add(-span - 90*24*time.Hour)

	for _, of := range questionsOf {
		for range of.count {
			at = at.Add(g.duration(2 * time.Hour))
			q := question{ID: g.id(at), Number: number(len(out) + 1), Type: of.kind, Stamps: stamps(at)}
			g.fill(&q, of.kind, at)
			out = append(out, q)
		}
	}

	return out
}

// fill writes the content of one kind.
func (g *generator) fill(q *question, kind string, at time.Time) {
	n := int(q.Number)

	switch kind {
	case imageDescription:
		q.Content = content{Audio: audio("photo", n), ImageURL: new(fmt.Sprintf("https://images.example.com/photos/%d.jpg", n))}
		q.Content.Answers = g.answers(at, pick(g, scenes))
	case askAndAnswer:
		exchange := pick(g, exchanges)
		q.Content = content{Audio: audio("question", n), Answers: g.answers(at, exchange.answers)}
		q.Subtitle = new(exchange.question)
	case conversation, shortTalk:
		talk := g.talk(kind)
		q.Content = content{Audio: audio("talk", n), Questions: g.subQuestions(at, talk)}
		q.Subtitle = new(talk.text)
	case blankParagraph, readAndUnderstand:
		talk := g.talk(kind)
		q.Content = content{Question: new(talk.text), Questions: g.subQuestions(at, talk)}
	default:
		s := g.sentence()
		q.Content = content{Question: new(s.text), Answers: g.answers(at, s.answers)}
		q.Explanation = new(s.why)
	}
}

func audio(kind string, n int) *media {
	name := fmt.Sprintf("%s-%03d.mp3", kind, n)

	return &media{Name: name, URL: "https://audio.example.com/" + name}
}

// answers shuffles choices of which the first is right.
func (g *generator) answers(at time.Time, choices []string) []answer {
	out := make([]answer, len(choices))
	for i, from := range g.Perm(len(choices)) {
		out[i] = answer{Answer: choices[from], IsCorrect: from == 0, ID: g.id(at)}
	}

	return out
}

func (g *generator) subQuestions(at time.Time, t text) []subQuestion {
	out := make([]subQuestion, len(t.asked))
	for i, a := range t.asked {
		out[i] = subQuestion{Question: a.question, Answers: g.answers(at, a.answers), ID: g.id(at)}
	}

	return out
}

// asked is a question whose first answer is right.
type asked struct {
	question string
	answers  []string
}

// text is something to hear or read, and what is asked about it.
type text struct {
	text  string
	asked []asked
}

// sentence is a sentence with a gap.
type sentence struct {
	text    string
	answers []string
	why     string
}

var (
	departments = []string{"sales", "marketing", "accounting", "human resources", "shipping", "customer service", "research"}
	things      = []string{"annual report", "budget proposal", "contract", "shipment", "survey", "training manual", "invoice", "product catalogue"}
	days        = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
	speakers    = []string{"Ms. Pham", "Mr. Carter", "Ms. Hughes", "Mr. Nguyen", "Ms. Reed", "Mr. Tran"}
	places      = []string{"conference room", "lobby", "warehouse", "head office", "airport", "cafeteria"}
	hours       = []string{"9 A.M.", "10:30 A.M.", "1 P.M.", "2:15 P.M.", "4 P.M."}
)

var scenes = [][]string{
	{"They are looking at a screen.", "They are painting a wall.", "They are boarding a train.", "They are setting a table."},
	{"A man is carrying some boxes.", "A man is repairing a car.", "A man is watering plants.", "A man is pouring coffee."},
	{"Some chairs have been arranged in rows.", "Some chairs are being painted.", "Some chairs are stacked outside.", "The chairs are all occupied."},
	{"The woman is using a photocopier.", "The woman is opening a window.", "The woman is hanging up a coat.", "The woman is crossing a street."},
	{"Vehicles are parked along the street.", "Vehicles are being washed.", "Vehicles are entering a tunnel.", "A bridge is being repaired."},
}

var exchanges = []asked{
	{"When does the workshop begin?", []string{"At two thirty.", "In the main hall.", "Yes, I attended it."}},
	{"Who approved the travel request?", []string{"The department head did.", "By express mail.", "About three hundred dollars."}},
	{"Where can I find extra paper?", []string{"In the cabinet by the printer.", "Every Thursday.", "No, it is digital."}},
	{"Would you like to join us for lunch?", []string{"Thanks, but I have a meeting.", "It was delicious.", "The new restaurant."}},
	{"Why was the flight delayed?", []string{"Because of heavy fog.", "At gate twelve.", "A window seat, please."}},
	{"How often is the equipment inspected?", []string{"Twice a year.", "By a technician.", "It is on the third floor."}},
}

// sentence makes one of the gaps that learners meet most.
func (g *generator) sentence() sentence {
	who, thing, day, department := pick(g, speakers), pick(g, things), pick(g, days), pick(g, departments)

	return pick(g, []sentence{
		{fmt.Sprintf("The %s must be submitted ------- %s.", thing, day), []string{"by", "until", "during", "among"}, "“By” names the latest time; “until” needs an action that goes on."},
		{fmt.Sprintf("%s ------- completed the %s ahead of schedule.", who, thing), []string{"successfully", "success", "successful", "succeed"}, "An adverb belongs before the verb."},
		{fmt.Sprintf("------- the %s was late, the client was satisfied.", thing), []string{"Although", "Despite", "Because of", "Unless"}, "“Although” begins a clause; “despite” needs a noun."},
		{fmt.Sprintf("The %s manager ------- the %s before %s.", department, thing, day), []string{"will review", "reviewing", "to review", "reviewer"}, "The sentence has no verb yet."},
		{fmt.Sprintf("All employees in %s are ------- to attend the meeting on %s.", department, day), []string{"required", "requiring", "require", "requirement"}, "The passive needs a past participle."},
		{fmt.Sprintf("%s asked for ------- information about the %s.", who, thing), []string{"additional", "addition", "additionally", "add"}, "An adjective describes a noun."},
		{fmt.Sprintf("The %s, ------- was sent on %s, has not arrived.", thing, day), []string{"which", "who", "whose", "where"}, "“Which” refers to a thing."},
	})
}

// talk is a conversation, an announcement, a letter or a notice.
func (g *generator) talk(kind string) text {
	who, other, thing := pick(g, speakers), pick(g, speakers), pick(g, things)
	day, place, hour, department := pick(g, days), pick(g, places), pick(g, hours), pick(g, departments)

	var body string

	switch kind {
	case conversation:
		body = fmt.Sprintf("M: Has the %s been sent to %s?\nW: Not yet. %s wants to discuss it in the %s on %s.\nM: Then I will bring the figures at %s.", thing, department, who, place, day, hour)
	case shortTalk:
		body = fmt.Sprintf("Attention, all staff of %s. %s will present the %s in the %s on %s at %s. Please bring your notes.", department, who, thing, place, day, hour)
	case blankParagraph:
		body = fmt.Sprintf("Dear %s,\nThank you for the %s. We ------- (1) it with %s on %s. The meeting takes ------- (2) in the %s at %s.\nSincerely,\n%s", other, thing, department, day, place, hour, who)
		return text{body, []asked{
			{"(1)", []string{"will discuss", "discussion", "discussing", "to discuss"}},
			{"(2)", []string{"place", "part", "time", "turns"}},
		}}
	default:
		body = fmt.Sprintf("NOTICE\nThe %s of the %s department will be presented by %s. Place: %s. Time: %s, %s. Staff who cannot come should write to %s before the day.", thing, department, who, place, day, hour, other)
	}

	return text{body, []asked{
		{"Where will the meeting take place?", append([]string{inThe(place)}, others(g, places, place, inThe)...)},
		{"On what day does it take place?", append([]string{day}, others(g, days, day, strings.Clone)...)},
	}}
}

func inThe(place string) string { return "In the " + place }

// others are three other choices.
func others(g *generator, choices []string, right string, write func(string) string) []string {
	var out []string

	for _, c := range sample(g, choices, len(choices)) {
		if c != right && len(out) < 3 {
			out = append(out, write(c))
		}
	}

	return out
}
