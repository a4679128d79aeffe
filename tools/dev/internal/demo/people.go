package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// userPassword is the bcrypt hash, cost 10, of "password123": the password of
// every demo user.
const userPassword = "$2b$10$PzWhOul13P04D65hIvFtwuIf5jARlUEsUz.rl09r7VJjQz0j8RPWW"

type namePart struct{ written, plain string }

var (
	vietnameseFamilies = []namePart{
		{"Nguyễn", "nguyen"},
		{"Trần", "tran"},
		{"Lê", "le"},
		{"Phạm", "pham"},
		{"Hoàng", "hoang"},
		{"Phan", "phan"},
		{"Vũ", "vu"},
		{"Đặng", "dang"},
		{"Bùi", "bui"},
		{"Đỗ", "do"},
		{"Hồ", "ho"},
		{"Ngô", "ngo"},
		{"Dương", "duong"},
	}
	vietnameseMen = []namePart{
		{"Minh Quân", "quan"},
		{"Đức Anh", "ducanh"},
		{"Hoàng Long", "long"},
		{"Quốc Bảo", "bao"},
		{"Gia Huy", "huy"},
		{"Tuấn Kiệt", "kiet"},
		{"Thành Đạt", "dat"},
		{"Hữu Phước", "phuoc"},
		{"Anh Khoa", "khoa"},
		{"Văn Tùng", "tung"},
	}
	vietnameseWomen = []namePart{
		{"Thu Hà", "ha"},
		{"Ngọc Mai", "mai"},
		{"Phương Linh", "linh"},
		{"Thanh Trúc", "truc"},
		{"Bảo Ngọc", "ngoc"},
		{"Khánh Vy", "vy"},
		{"Thùy Dương", "thuyduong"},
		{"Minh Châu", "chau"},
		{"Lan Anh", "lananh"},
		{"Hồng Nhung", "nhung"},
	}
	englishFamilies = []string{"Carter", "Bennett", "Hughes", "Foster", "Reed", "Murphy", "Price", "Ward", "Brooks", "Ellis"}
	englishMen      = []string{"Daniel", "James", "Oliver", "Thomas", "Henry", "Samuel", "Lucas", "Ethan"}
	englishWomen    = []string{"Emily", "Grace", "Olivia", "Sophie", "Hannah", "Chloe", "Lucy", "Amelia"}
)

// users are the learners, oldest account first. Every sixth has an English
// name; one in eight came through Google and has no password.
func (g *generator) users() []user {
	joined := make([]time.Time, userCount)
	for i := range joined {
		joined[i] = g.before(span + 60*24*time.Hour)
	}

	slices.SortFunc(joined, time.Time.Compare)

	out := make([]user, userCount)
	for i, at := range joined {
		out[i] = g.user(i, at)
	}

	return out
}

func (g *generator) user(i int, joined time.Time) user {
	name, plain, gender := g.name(i)

	u := user{
		ID: g.id(joined), Name: name, Email: fmt.Sprintf("%s%d@example.com", plain, i+1),
		Password: new(userPassword), Level: number(g.IntN(13) * 50), Role: "USER", Gender: gender,
		RegistrationMethod: "EMAIL", Stamps: stamps(joined),
	}

	if g.chance(70) {
		u.Phone = new(fmt.Sprintf("09%08d", g.IntN(100_000_000)))
	}

	if g.chance(50) {
		born := time.Date(1985+g.IntN(22), time.Month(1+g.IntN(12)), 1+g.IntN(28), 0, 0, 0, 0, time.UTC)
		u.DateOfBirth = new(born.Format(time.DateOnly))
	}

	if g.chance(12) {
		u.RegistrationMethod, u.Password = "GOOGLE", nil
		u.AvatarURL = new(fmt.Sprintf("https://images.example.com/avatars/%d.jpg", i+1))
	}

	return u
}

func (g *generator) name(i int) (name, plain, gender string) {
	gender = pick(g, []string{"MALE", "FEMALE", "FEMALE", "OTHER"})

	if i%6 == 5 {
		given := englishMen
		if gender == "FEMALE" || gender == "OTHER" && g.chance(50) {
			given = englishWomen
		}

		first, family := pick(g, given), pick(g, englishFamilies)

		return first + " " + family, strings.ToLower(first + "." + family), gender
	}

	given := vietnameseMen
	if gender == "FEMALE" || gender == "OTHER" && g.chance(50) {
		given = vietnameseWomen
	}

	first, family := pick(g, given), pick(g, vietnameseFamilies)

	return family.written + " " + first.written, first.plain + "." + family.plain, gender
}

// reminders are at most one for each user, in the morning or the evening.
func (g *generator) reminders(people []user) []reminder {
	var out []reminder

	for _, u := range sample(g, people, reminderCount) {
		at := later(u.CreatedAt, g.duration(g.now.Sub(u.CreatedAt)))
		out = append(out, reminder{
			ID: g.id(at), User: u.ID, Hour: number(pick(g, []int{6, 7, 8, 12, 19, 20, 21, 22})),
			Minute: number(g.IntN(12) * 5), Stamps: stamps(at),
		})
	}

	return out
}

func later(t time.Time, d time.Duration) time.Time { return t.Add(d.Truncate(time.Millisecond)) }

var messages = []struct{ title, message string }{
	{"⏰ Nhắc học bài!", "Bạn đã đặt lịch học bây giờ đó!"},
	{"Daily English Practice", "Time for your daily English lesson! 📚"},
	{"🎉 Chúc mừng!", "Bạn đã hoàn thành một chặng trong lộ trình học."},
	{"Đề thi mới", "Một đề thi thử mới vừa được thêm vào."},
}

// notifications are a few for most users, the older ones read.
func (g *generator) notifications(people []user) []notification {
	var out []notification

	for _, u := range people {
		for range g.IntN(4) {
			at := g.before(min(span, g.now.Sub(u.CreatedAt)))
			m := pick(g, messages)
			out = append(out, notification{
				ID: g.id(at), Title: m.title, Message: m.message, User: u.ID,
				IsRead: g.now.Sub(at) > 3*24*time.Hour && g.chance(85), Stamps: stamps(at),
			})
		}
	}

	slices.SortFunc(out, func(a, b notification) int { return a.CreatedAt.Compare(b.CreatedAt) })

	return out
}

// favorites are pairs of a user and a question that occur once.
func (g *generator) favorites(people []user, questions []question) []favorite {
	type pair struct{ user, question bson.ObjectID }

	seen := map[pair]bool{}

	var out []favorite

	for len(out) < favoriteCount {
		u, q := pick(g, people), pick(g, questions)
		if seen[pair{u.ID, q.ID}] {
			continue
		}

		seen[pair{u.ID, q.ID}] = true
		at := g.before(min(span, g.now.Sub(u.CreatedAt)))

		f := favorite{ID: g.id(at), UserID: u.ID, QuestionID: q.ID, Question: q.Content.Question, Category: new(q.Type), Stamps: stamps(at)}
		for _, a := range q.Content.Answers {
			if a.IsCorrect {
				f.Answer = new(a.Answer)
			}
		}

		out = append(out, f)
	}

	return out
}
