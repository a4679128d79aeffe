package config

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// dotenv decodes lines of NAME=value. Viper's own decoder does not serve: it
// ends a value at any #, also within a password, and puts variables of the
// process in the place of a $.
//
//	# A comment.
//	NAME=a value, up to a # after a space
//	export NAME='as it is, over several lines if need be'
//	NAME="with \n for the end of a line, and ${OTHER} for an earlier value"
type dotenv struct{}

// lineError is the number of a line that cannot be read.
type lineError int

func (e lineError) Error() string { return "line " + strconv.Itoa(int(e)) }

var (
	dotenvName      = regexp.MustCompile(`^(?:export[\t\v\f ]+)?([\p{L}\p{N}_.][\p{L}\p{N}_.\t\v\f ]*)[=:][\t\v\f ]*`)
	dotenvComment   = regexp.MustCompile(`^(.*)[\t\v\f ]#.*$`)
	dotenvEscape    = regexp.MustCompile(`(?s)\\.`)
	dotenvReference = regexp.MustCompile(`\\?\$\(?\{?([A-Z0-9_]*)\}?`)
)

// Decode implements viper.Decoder.
func (dotenv) Decode(b []byte, values map[string]any) error {
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	for rest := text; ; {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		switch {
		case rest == "":
			return nil
		case rest[0] == '#':
			_, rest, _ = strings.Cut(rest, "\n")
			continue
		}
		line := lineError(1 + strings.Count(text[:len(text)-len(rest)], "\n"))
		name := dotenvName.FindStringSubmatch(rest)
		if name == nil {
			return line
		}
		value, after, ok := dotenvValue(rest[len(name[0]):], values)
		if !ok {
			return line
		}
		values[strings.TrimSpace(name[1])], rest = value, after
	}
}

// dotenvValue reads a value from the beginning of the text, and returns what
// comes after it. It fails if a quote is not closed.
func dotenvValue(text string, earlier map[string]any) (value, after string, ok bool) {
	if text == "" || text[0] != '\'' && text[0] != '"' {
		end := strings.IndexAny(text+"\n", "\r\n")
		value, after = text[:end], text[end:]
		if m := dotenvComment.FindStringSubmatch(value); m != nil {
			value = m[1]
		}
		return dotenvExpand(strings.TrimSpace(value), earlier), after, true
	}
	quote := text[:1]
	for end := 1; end < len(text); end++ {
		if text[end:end+1] != quote || text[end-1] == '\\' {
			continue
		}
		value, after = strings.Trim(text[:end], quote), text[end+1:]
		if quote == `"` {
			value = dotenvExpand(dotenvEscape.ReplaceAllStringFunc(value, dotenvUnescape), earlier)
		}
		return value, after, true
	}
	return "", "", false
}

func dotenvUnescape(escape string) string {
	switch escape[1] {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case '$':
		return escape // dotenvExpand reads it
	default:
		return escape[1:]
	}
}

// dotenvExpand puts earlier values of the file in the place of their names.
func dotenvExpand(text string, earlier map[string]any) string {
	return dotenvReference.ReplaceAllStringFunc(text, func(reference string) string {
		name := dotenvReference.FindStringSubmatch(reference)[1]
		switch {
		case reference[0] == '\\':
			return reference[1:]
		case name == "":
			return reference
		default:
			value, _ := earlier[name].(string) // "" if there is none
			return value
		}
	})
}
