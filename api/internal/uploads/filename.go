package uploads

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// The bounds of a name, in bytes.
const (
	longestName   = 255 // as of most file systems
	longestEnding = 32  // what is longer behind a dot is no ending
)

// cleanName keeps what is shown of a client's file name: no folders, no signs
// that cannot be seen, not more than 255 bytes, with its ending. Where nothing
// is left that names anything, the file gets a name of ours, such as image.png.
func cleanName(name string, kind media.Kind, format mediafile.Format) string {
	name = strings.ToValidUTF8(name, "\ufffd")
	if at := strings.LastIndexAny(name, `/\`); at >= 0 {
		name = name[at+1:]
	}
	name = strings.TrimSpace(strings.Map(visible, name))
	ending := endingOf(name)
	if !tells(strings.TrimSuffix(name, ending)) {
		return string(kind) + "." + string(format)
	}
	if len(name) <= longestName {
		return name
	}
	stem := name[:longestName-len(ending)]
	for !utf8.RuneStart(name[len(stem)]) {
		stem = stem[:len(stem)-1]
	}
	return strings.TrimSpace(stem) + ending
}

// endingOf is the ending of a name with its dot.
func endingOf(name string) string {
	if ending := path.Ext(name); len(ending) <= longestEnding {
		return ending
	}
	return ""
}

// The signs that are not seen and have their use: they join letters of Persian
// and Indian scripts, and the parts of one picture sign.
const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// visible drops signs that are not seen: controls, those that turn the direction
// of letters, marks without a width, fillers, and the ends of lines.
func visible(r rune) rune {
	switch {
	case r == joiner, r == nonJoiner, unicode.Is(unicode.Variation_Selector, r):
		return r
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point):
		return -1
	}
	return r
}

// tells reports whether a name has a sign that one sees and that is no dot.
func tells(stem string) bool {
	return strings.ContainsFunc(stem, func(r rune) bool {
		return r != '.' && r != joiner && r != nonJoiner && !unicode.IsSpace(r) && !unicode.Is(unicode.Variation_Selector, r)
	})
}
