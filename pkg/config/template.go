package config

import (
	"strings"
	"unicode"
)

// templateWidth is how long the lines of comments are at the most.
const templateWidth = 80

// Template writes a configuration as paragraphs of a dotenv file, one for each
// variable: its meaning, unit, old names and an example as comments, then the
// variable. It is commented out with its default, unless the struct requires it
// or suggests a value for production:
//
//	# How long access tokens are valid.
//	# Unit: s, m, h, d or w. Example: 15m
//	#JWT_EXPIRES_IN=1h
//
// The same variable of two programs gives the same paragraph.
func Template(target any) []string {
	entries := Describe(target)
	paragraphs := make([]string, 0, len(entries))
	for _, e := range entries {
		paragraphs = append(paragraphs, e.paragraph())
	}
	return paragraphs
}

func (e Entry) paragraph() string {
	var facts []string
	for _, fact := range []struct{ name, text string }{
		{"Unit", e.Unit}, {"Old name", strings.Join(e.Aliases, ", ")}, {"Example", e.Example},
	} {
		if fact.text != "" {
			facts = append(facts, fact.name+": "+fact.text+".")
		}
	}
	assignment := "#" + e.Name + "=" + e.Default
	if e.Required || e.Suggested {
		assignment = e.Name + "=" + e.Production
	}
	return comment(capital(e.Help)+".") + comment(strings.TrimSuffix(strings.Join(facts, " "), ".")) + assignment + "\n"
}

func capital(text string) string {
	for _, first := range text {
		return string(unicode.ToUpper(first)) + strings.TrimPrefix(text, string(first))
	}
	return ""
}

// comment breaks a text into lines that begin with #.
func comment(text string) string {
	var b strings.Builder
	length := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case length == 0:
			b.WriteString("#")
			length = 1
		case length+1+len(word) > templateWidth:
			b.WriteString("\n#")
			length = 1
		}
		b.WriteString(" " + word)
		length += 1 + len(word)
	}
	if length > 0 {
		b.WriteString("\n")
	}
	return b.String()
}
