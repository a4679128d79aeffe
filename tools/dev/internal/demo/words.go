package demo

import "time"

var vocabularyTopics = []struct {
	name  string
	words [][3]string // word, meaning, pronunciation
}{
	{"Contracts", [][3]string{{"agreement", "thỏa thuận", "/əˈɡriːmənt/"}, {"party", "bên (ký hợp đồng)", "/ˈpɑːrti/"}, {"obligation", "nghĩa vụ", "/ˌɑːblɪˈɡeɪʃn/"}, {"terminate", "chấm dứt", "/ˈtɜːrmɪneɪt/"}}},
	{"Marketing", [][3]string{{"campaign", "chiến dịch", "/kæmˈpeɪn/"}, {"consumer", "người tiêu dùng", "/kənˈsuːmər/"}, {"launch", "ra mắt", "/lɔːntʃ/"}, {"brand", "thương hiệu", "/brænd/"}}},
	{"Office", [][3]string{{"colleague", "đồng nghiệp", "/ˈkɑːliːɡ/"}, {"deadline", "hạn chót", "/ˈdedlaɪn/"}, {"equipment", "thiết bị", "/ɪˈkwɪpmənt/"}, {"schedule", "lịch trình", "/ˈskedʒuːl/"}}},
	{"Recruitment", [][3]string{{"applicant", "ứng viên", "/ˈæplɪkənt/"}, {"résumé", "sơ yếu lý lịch", "/ˈrezəmeɪ/"}, {"qualification", "bằng cấp", "/ˌkwɑːlɪfɪˈkeɪʃn/"}, {"hire", "tuyển dụng", "/ˈhaɪər/"}}},
	{"Travel", [][3]string{{"itinerary", "lộ trình", "/aɪˈtɪnəreri/"}, {"departure", "khởi hành", "/dɪˈpɑːrtʃər/"}, {"boarding pass", "thẻ lên máy bay", "/ˈbɔːrdɪŋ pæs/"}, {"accommodation", "chỗ ở", "/əˌkɑːməˈdeɪʃn/"}}},
	{"Finance", [][3]string{{"budget", "ngân sách", "/ˈbʌdʒɪt/"}, {"invoice", "hóa đơn", "/ˈɪnvɔɪs/"}, {"revenue", "doanh thu", "/ˈrevənuː/"}, {"expense", "chi phí", "/ɪkˈspens/"}}},
	{"Manufacturing", [][3]string{{"assembly", "lắp ráp", "/əˈsembli/"}, {"defect", "lỗi sản phẩm", "/ˈdiːfekt/"}, {"supplier", "nhà cung cấp", "/səˈplaɪər/"}, {"warehouse", "nhà kho", "/ˈwerhaʊs/"}}},
	{"Health", [][3]string{{"appointment", "cuộc hẹn", "/əˈpɔɪntmənt/"}, {"prescription", "đơn thuốc", "/prɪˈskrɪpʃn/"}, {"insurance", "bảo hiểm", "/ɪnˈʃʊrəns/"}, {"symptom", "triệu chứng", "/ˈsɪmptəm/"}}},
}

// vocabulary are the topics with their words.
func (g *generator) vocabulary() []vocabularyTopic {
	var out []vocabularyTopic

	for _, topic := range vocabularyTopics {
		at := g.before(30 * 24 * time.Hour).Add(-span)
		t := vocabularyTopic{ID: g.id(at), TopicName: topic.name, Stamps: stamps(at)}

		for _, w := range topic.words {
			file := w[0] + ".mp3"
			t.Words = append(t.Words, word{
				Word: w[0], Meaning: w[1], Pronunciation: w[2],
				Audio: wordAudio{URL: "https://audio.example.com/words/" + file, Name: file}, ID: g.id(at),
			})
		}

		out = append(out, t)
	}

	return out
}

var grammarTopics = []struct {
	topic string
	rules []grammarRule
}{
	{"Tenses", []grammarRule{
		{Title: "Present simple", Content: "Facts and habits.", Examples: []string{"The office opens at eight.", "She checks her mail every morning."}},
		{Title: "Present perfect", Content: "Something that began in the past and matters now.", Examples: []string{"We have worked here since 2019."}},
		{Title: "Future with will", Content: "Decisions and promises.", Examples: []string{"I will send the invoice today."}},
	}},
	{"Passive voice", []grammarRule{
		{Title: "Form", Content: "A form of be and the past participle.", Examples: []string{"The report was written by Ms. Pham."}},
		{Title: "Without an agent", Content: "When it does not matter who did it.", Examples: []string{"The room has been cleaned."}},
	}},
	{"Prepositions of time", []grammarRule{
		{Title: "By and until", Content: "By: not later than. Until: up to that time.", Examples: []string{"Pay by Friday.", "The shop is open until nine."}},
		{Title: "In, on, at", Content: "In a month, on a day, at an hour.", Examples: []string{"in May", "on Monday", "at noon"}},
	}},
	{"Conjunctions", []grammarRule{
		{Title: "Although and despite", Content: "Although with a clause, despite with a noun.", Examples: []string{"Although it rained, we went.", "Despite the rain, we went."}},
	}},
	{"Word families", []grammarRule{
		{Title: "Adverbs", Content: "They describe verbs and adjectives, mostly with -ly.", Examples: []string{"The plan was carefully prepared."}},
		{Title: "Nouns in -tion", Content: "Made of verbs.", Examples: []string{"inform, information", "apply, application"}},
	}},
}

// grammars are the topics with their rules.
func (g *generator) grammars() []grammarTopic {
	var out []grammarTopic

	for _, topic := range grammarTopics {
		at := g.before(30 * 24 * time.Hour).Add(-span)
		t := grammarTopic{ID: g.id(at), Topic: topic.topic, Stamps: stamps(at)}

		for _, rule := range topic.rules {
			rule.ID = g.id(at)
			t.Grammars = append(t.Grammars, rule)
		}

		out = append(out, t)
	}

	return out
}
