package uploads

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/etrainer/backend/pkg/errs"
)

// disposition is what a part says of itself.
type disposition struct {
	field string // its name in the form
	file  string // as the client calls the file, not cleaned
	named bool   // there is a name of a file, be it empty
}

// parseDisposition reads a Content-Disposition of a form as those who send it
// write it: browsers escape a quote as %22 and take a backslash for a letter
// (WHATWG, multipart/form-data); tools put a backslash before a quote; mailers
// name the charset (RFC 2231, RFC 5987) or use words of RFC 2047. Go's reader
// knows mailers alone, and drops a part that it cannot read.
func parseDisposition(header string) (disposition, error) {
	if header == "" {
		return disposition{}, errors.New("it has no Content-Disposition")
	}
	kind, rest, _ := strings.Cut(header, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "form-data") {
		return disposition{}, fmt.Errorf("its Content-Disposition is %q and not form-data", errs.Shorten(strings.TrimSpace(kind)))
	}
	parameters, err := parseParameters(rest, true)
	if err != nil {
		parameters, err = parseParameters(rest, false) // a browser's backslash
	}
	if err != nil {
		return disposition{}, err
	}
	field, has := parameters["name"]
	if !has {
		return disposition{}, errors.New("its Content-Disposition has no name of a field")
	}
	d := disposition{field: unescape(field)}
	d.file, d.named, err = fileNameOf(parameters)
	return d, err
}

// mostParameters bounds those of one header.
const mostParameters = 64

// parseParameters splits a header at its semicolons. escapes = a backslash in
// quotes makes the next sign a letter.
func parseParameters(text string, escapes bool) (map[string]string, error) {
	parameters := map[string]string{}
	for text = strings.TrimLeft(text, "; \t"); text != ""; text = strings.TrimLeft(text, "; \t") {
		key, rest, found := strings.Cut(text, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !found || key == "" || strings.ContainsAny(key, "\"; \t") {
			return nil, errors.New("its Content-Disposition cannot be read")
		}
		value, rest, err := parameterValue(strings.TrimLeft(rest, " \t"), escapes)
		if err != nil {
			return nil, err
		}
		if _, twice := parameters[key]; twice {
			return nil, fmt.Errorf("its Content-Disposition has %q twice", errs.Shorten(key))
		}
		if parameters[key] = value; len(parameters) > mostParameters {
			return nil, errors.New("its Content-Disposition is too long")
		}
		text = rest
	}
	return parameters, nil
}

// parameterValue reads a value, in quotes or up to the next semicolon, and
// returns what follows.
func parameterValue(text string, escapes bool) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, ";")
		return strings.TrimRight(value, " \t"), rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch sign := text[i]; {
		case sign == '"':
			rest = strings.TrimLeft(text[i+1:], " \t")
			if rest != "" && rest[0] != ';' {
				return "", "", errors.New("its Content-Disposition has signs behind a quote")
			}
			return b.String(), rest, nil
		case sign == '\\' && escapes && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(sign)
		}
	}
	return "", "", errors.New("its Content-Disposition has no closing quote")
}

// unescape undoes what browsers escape in names, and nothing else: a name may
// have any other percent sign.
var unescape = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0d", "\r", "%0A", "\n", "%0a", "\n").Replace

// fileNameOf chooses among the forms of the name: the one with a charset first,
// as RFC 6266 wants it.
func fileNameOf(parameters map[string]string) (name string, named bool, err error) {
	if extended, has := parameters["filename*"]; has {
		name, err = decodeExtended(extended)
		if err == nil {
			return name, true, nil
		}
	}
	if plain, has := parameters["filename"]; has {
		return decodeWords(unescape(plain)), true, nil
	}
	if err != nil {
		return "", false, err
	}
	return joinPieces(parameters)
}

// decodeExtended reads charset'language'text, percent-encoded.
func decodeExtended(value string) (string, error) {
	parts := strings.SplitN(value, "'", 3)
	if len(parts) != 3 {
		return "", errors.New(`its filename* is not of the form charset'language'name`)
	}
	text, err := url.PathUnescape(parts[2])
	if err != nil {
		return "", errors.New("its filename* is not percent-encoded")
	}
	return fromCharset(parts[0], text)
}

// fromCharset turns a text in a charset into UTF-8.
func fromCharset(name, text string) (string, error) {
	if strings.EqualFold(name, "utf-8") {
		return text, nil
	}
	encoding, err := htmlindex.Get(name)
	if err != nil {
		return "", fmt.Errorf("its filename* is in the charset %q, which is not known; use UTF-8", errs.Shorten(name))
	}
	decoded, err := encoding.NewDecoder().String(text)
	if err != nil {
		return "", fmt.Errorf("its filename* is not in the charset %q", errs.Shorten(name))
	}
	return decoded, nil
}

// decodeWords reads the words of a mailer: =?UTF-8?B?…?=. What is none stays.
func decodeWords(text string) string {
	if !strings.HasPrefix(text, "=?") {
		return text
	}
	decoder := mime.WordDecoder{CharsetReader: func(name string, input io.Reader) (io.Reader, error) {
		encoding, err := htmlindex.Get(name)
		if err != nil {
			return nil, err
		}
		return encoding.NewDecoder().Reader(input), nil
	}}
	if decoded, err := decoder.DecodeHeader(text); err == nil {
		return decoded
	}
	return text
}

// joinPieces puts together a long name of a mailer: filename*0, filename*1*.
func joinPieces(parameters map[string]string) (name string, named bool, err error) {
	var b strings.Builder
	set := "utf-8"
	for i := 0; ; i++ {
		key := "filename*" + strconv.Itoa(i)
		piece, has := parameters[key]
		encoded, hasEncoded := parameters[key+"*"]
		if !has && !hasEncoded {
			name, err = fromCharset(set, b.String())
			return name, i > 0, err
		}
		if hasEncoded {
			if parts := strings.SplitN(encoded, "'", 3); i == 0 && len(parts) == 3 {
				set, encoded = parts[0], parts[2]
			}
			if piece, err = url.PathUnescape(encoded); err != nil {
				return "", false, errors.New("its filename is not percent-encoded")
			}
		}
		b.WriteString(piece)
	}
}
