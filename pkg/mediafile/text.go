package mediafile

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/encoding/unicode"
)

// active are the texts that browsers would act on, or that are no plain text.
var active = []string{"text/html", "text/xml", "text/x-php", "text/rtf", "image/svg+xml"}

// The marks of the encodings of Unicode.
var (
	markUTF8    = []byte("\xef\xbb\xbf")
	markUTF16LE = []byte("\xff\xfe")
	markUTF16BE = []byte("\xfe\xff")
)

// looksLikeText reports whether the first bytes are nothing but letters: in
// UTF-8, or in UTF-16 with its mark. Whatever such a file begins with, it is a
// text about that: binary formats have bytes that no text has.
func looksLikeText(head []byte) bool {
	text, ok := plain(head, len(head) >= HeadSize)
	return ok && !slices.ContainsFunc(text, isControl)
}

// plain is a text in UTF-8; false = it is in no Unicode. cut = it goes on, and
// may end within a letter.
func plain(head []byte, cut bool) ([]byte, bool) {
	if bytes.HasPrefix(head, markUTF16LE) || bytes.HasPrefix(head, markUTF16BE) {
		decoder := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
		text, err := decoder.Bytes(head[:len(head)&^1])
		if cut {
			text = bytes.TrimSuffix(text, []byte("\ufffd"))
		}
		return text, err == nil && !bytes.ContainsRune(text, utf8.RuneError)
	}
	text := bytes.TrimPrefix(head, markUTF8)
	for tail := 1; cut && tail < utf8.UTFMax && !utf8.Valid(text); tail++ {
		text = text[:len(text)-1]
	}
	return text, utf8.Valid(text)
}

// isControl reports whether no text has this byte: all below the space but tab,
// line feed, form feed, carriage return and escape.
func isControl(b byte) bool {
	return b < ' ' && !bytes.ContainsRune([]byte("\t\n\f\r\x1b"), rune(b))
}

// sniffText tells a text from a page, a drawing, a program, and a PDF, of which
// the first lines are text.
func sniffText(head []byte) Format {
	text, _ := plain(head, len(head) >= HeadSize)
	if bytes.Contains(text[:min(len(text), pdfSearch)], pdfMark) {
		return PDF
	}
	return inert(text)
}

// inert is TXT, or "" for a text that browsers would act on, also where it writes
// of PDF.
func inert(text []byte) Format {
	for found := mimetype.Detect(bytes.ReplaceAll(text, pdfMark, []byte("PDF"))); found != nil; found = found.Parent() {
		if slices.ContainsFunc(active, found.Is) {
			return ""
		}
	}
	return TXT
}

// textSearch is how much of a text TextType reads.
const textSearch = 1 << 20

// TextType is the Content-Type of a text: with the charset when that is
// certain, and without one when the text is in an encoding of old, which only
// its reader can guess.
func TextType(file io.Reader) string {
	buffer := bytes.Buffer{}
	if _, err := io.CopyN(&buffer, file, textSearch); err != nil && buffer.Len() == 0 {
		return TXT.ContentType()
	}
	head := buffer.Bytes()
	switch {
	case bytes.HasPrefix(head, markUTF16LE):
		return "text/plain; charset=utf-16le"
	case bytes.HasPrefix(head, markUTF16BE):
		return "text/plain; charset=utf-16be"
	}
	if _, is := plain(head, len(head) == textSearch); is {
		return TXT.ContentType()
	}
	return "text/plain"
}
