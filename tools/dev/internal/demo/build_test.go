package demo_test

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/tools/dev/internal/demo"
)

var now = time.Date(2026, 3, 31, 21, 15, 30, 123_000_000, time.UTC)

// built is what Build returns, as it is stored.
func built(t *testing.T, now time.Time) map[string][]bson.Raw {
	t.Helper()

	out := map[string][]bson.Raw{}

	for _, c := range demo.Build(now) {
		for _, d := range c.Documents {
			raw, err := bson.Marshal(d)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}

			out[c.Name] = append(out[c.Name], raw)
		}
	}

	return out
}

func TestTheSameMomentMakesTheSameDocuments(t *testing.T) {
	t.Parallel()

	first, second, other := built(t, now), built(t, now.Add(400*time.Microsecond)), built(t, now.Add(time.Hour))

	for name, docs := range first {
		if len(docs) != len(second[name]) {
			t.Fatalf("%s: %d documents, then %d", name, len(docs), len(second[name]))
		}

		for i, d := range docs {
			if !bytes.Equal(d, second[name][i]) {
				t.Fatalf("%s[%d] was %s, then %s", name, i, d, second[name][i])
			}
		}

		if bytes.Equal(docs[0], other[name][0]) {
			t.Errorf("%s does not move with the time", name)
		}
	}
}

func TestTheSchoolIsSmall(t *testing.T) {
	t.Parallel()

	total := 0

	for name, docs := range built(t, now) {
		total += len(docs)

		want, ok := map[string]int{"users": 300, "questions": 400, "exams": 20, "practicehistories": 4000, "examhistories": 1500}[name]
		if ok && len(docs) != want {
			t.Errorf("%s: %d documents, want %d", name, len(docs), want)
		}
	}

	if total > 8000 {
		t.Errorf("%d documents: the embedded database reads all of a collection at each look", total)
	}
}

func TestUniqueFieldsAreUnique(t *testing.T) {
	t.Parallel()

	ids := map[bson.ObjectID]bool{}

	for name, docs := range built(t, now) {
		unique := map[string][]string{
			"users": {"email"}, "questions": {"questionNumber"}, "vocabularytopics": {"topicName"},
			"reminders": {"user"}, "favorite_questions": {"userId", "questionId"},
		}[name]
		seen := map[string]bool{}

		for _, d := range docs {
			if id := d.Lookup("_id").ObjectID(); ids[id] {
				t.Errorf("%s: the _id %s is used twice", name, id)
			} else {
				ids[id] = true
			}

			key := ""
			for _, field := range unique {
				key += d.Lookup(field).String()
			}

			if seen[key] && unique != nil {
				t.Errorf("%s: %v %s is used twice", name, unique, key)
			}

			seen[key] = true
		}
	}
}

func TestReferencesLeadSomewhere(t *testing.T) {
	t.Parallel()

	all := built(t, now)
	is := func(collection string) map[bson.ObjectID]bool {
		out := map[bson.ObjectID]bool{}
		for _, d := range all[collection] {
			out[d.Lookup("_id").ObjectID()] = true
		}

		return out
	}

	users, questions, exams := is("users"), is("questions"), is("exams")

	for collection, field := range map[string]string{
		"practicehistories": "user", "examhistories": "user", "reminders": "user", "notifications": "user",
		"userjourneys": "user", "favorite_questions": "userId",
	} {
		for _, d := range all[collection] {
			if id := d.Lookup(field).ObjectID(); !users[id] {
				t.Fatalf("%s of user %s, who does not exist", collection, id)
			}
		}
	}

	for _, d := range all["exams"] {
		sections, _ := d.Lookup("sections").Array().Values()
		for _, s := range sections {
			asked, _ := s.Document().Lookup("questions").Array().Values()
			if len(asked) == 0 {
				t.Errorf("exam %s has a section without questions", d.Lookup("name"))
			}

			for _, q := range asked {
				if !questions[q.ObjectID()] {
					t.Fatalf("an exam asks question %s, which does not exist", q.ObjectID())
				}
			}
		}
	}

	for _, d := range all["stages"] {
		days, _ := d.Lookup("days").Array().Values()
		for _, day := range days {
			if id := day.Document().Lookup("exam").ObjectID(); !exams[id] {
				t.Fatalf("a stage has exam %s, which does not exist", id)
			}
		}
	}
}

func TestEveryQuestionHasOneRightAnswer(t *testing.T) {
	t.Parallel()

	check := func(where string, v bson.RawValue) {
		values, _ := v.Array().Values()

		right := 0
		for _, a := range values {
			if a.Document().Lookup("isCorrect").Boolean() {
				right++
			}
		}

		if right != 1 || len(values) < 3 {
			t.Errorf("%s has %d right answers of %d", where, right, len(values))
		}
	}

	for _, d := range built(t, now)["questions"] {
		where := "question " + d.Lookup("questionNumber").String()

		if v := d.Lookup("answers"); v.Type == bson.TypeArray {
			check(where, v)
			continue
		}

		subs, _ := d.Lookup("questions").Array().Values()
		if len(subs) == 0 {
			t.Errorf("%s asks nothing", where)
		}

		for _, s := range subs {
			check(where, s.Document().Lookup("answers"))
		}
	}
}

func TestResultsAddUpAndLieInThePast(t *testing.T) {
	t.Parallel()

	all := built(t, now)
	joined := map[bson.ObjectID]time.Time{}

	for _, u := range all["users"] {
		joined[u.Lookup("_id").ObjectID()] = u.Lookup("createdAt").Time()
	}

	lastWeek := map[bson.ObjectID]bool{}

	for _, collection := range []string{"practicehistories", "examhistories"} {
		for _, d := range all[collection] {
			start, end, saved := d.Lookup("startTime").Time(), d.Lookup("endTime").Time(), d.Lookup("createdAt").Time()
			user := d.Lookup("user").ObjectID()

			if !start.Before(end) || saved.Before(end) || saved.After(now) || end.Before(joined[user]) || now.Sub(end) > 121*24*time.Hour {
				t.Fatalf("%s: started %s, ended %s, saved %s by a user of %s", collection, start, end, saved, joined[user])
			}

			total, right := d.Lookup("totalQuestions").AsInt64(), d.Lookup("correctAnswers").AsInt64()

			rate := d.Lookup("accuracyRate")
			value, _ := rate.AsFloat64OK()

			if exact := 100 * float64(right) / float64(total); right > total || value < exact-0.006 || value > exact+0.006 {
				t.Fatalf("%s: %d of %d is %s %%", collection, right, total, rate)
			}

			if now.Sub(end) < 7*24*time.Hour {
				lastWeek[user] = true
			}
		}
	}

	// The weekly report, the streaks and the nudge must have something to find.
	if n := len(lastWeek); n < 50 || n > 280 {
		t.Errorf("%d of 300 users were active in the last week", n)
	}
}

func TestEveryoneLogsInWithThePasswordOfTheDocs(t *testing.T) {
	t.Parallel()

	hashes := map[string]int{}

	for _, u := range built(t, now)["users"] {
		google := u.Lookup("registrationMethod").StringValue() == "GOOGLE"

		hash, ok := u.Lookup("password").StringValueOK()
		if ok == google {
			t.Errorf("%s: Google account %t, password %t", u.Lookup("email"), google, ok)
		}

		hashes[hash]++

		if email := u.Lookup("email").StringValue(); !regexp.MustCompile(`^[a-z.]+\d+@example\.com$`).MatchString(email) {
			t.Errorf("%q is no address that nobody has", email)
		}
	}

	delete(hashes, "")

	for hash := range hashes {
		if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost != 10 || hash[:4] != "$2b$" {
			t.Errorf("%s: cost %d (%v), want $2b$ and 10", hash, cost, err)
		}

		if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte("password123")); err != nil {
			t.Error(err)
		}
	}

	if len(hashes) != 1 {
		t.Errorf("%d different hashes: each costs time to make", len(hashes))
	}
}

func TestAnyMomentWorks(t *testing.T) {
	t.Parallel()

	for _, at := range []time.Time{
		time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2027, 7, 1, 12, 0, 0, 0, time.FixedZone("", 14*60*60)),
	} {
		if n := len(built(t, at)["practicehistories"]); n != 4000 {
			t.Errorf("%s: %d practices", at, n)
		}
	}
}
