package uploads

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// FuzzDisposition: whatever a part says of itself, its field and its name are
// read or refused, and the name is one to show.
func FuzzDisposition(f *testing.F) {
	for _, header := range []string{
		`form-data; name="images"; filename="a.png"`, `form-data; name="images"; filename*=UTF-8''a%20b.png`, `form-data; name="images"; filename="a\"`,
		`form-data; name=images; filename*0*=ISO-8859-1''a%E9; filename*1="b"`, `form-data; name="images"; filename="=?UTF-8?Q?a=C3?="`, `form-data;;;`, ``,
		`form-data; name="images"; filename="a"; filename="b"`, "form-data; name=\"\x00\"; filename=\"\u202e/\\\"", `form-data; filename*9223372036854775808="x"; name=a`,
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		about, err := parseDisposition(header)
		if err != nil && (err.Error() == "" || len(err.Error()) > 400) {
			t.Errorf("the reason is %q", err)
		}
		name := cleanName(about.file, media.Image, mediafile.PNG)
		if name == "" || len(name) > longestName || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\x00\r\n\u202e\u200b") || strings.Trim(name, ".") == "" {
			t.Errorf("%q becomes the name %q", about.file, name)
		}
		if again := cleanName(name, media.Image, mediafile.PNG); again != name {
			t.Errorf("the name %q becomes %q", name, again)
		}
	})
}

// FuzzRange: whatever is asked for, what http.ServeContent gets are parts that
// the file has, none twice, or one that it has not.
func FuzzRange(f *testing.F) {
	for _, header := range []string{"bytes=0-9", "bytes=-0", "bytes=9-", "bytes=0-0,-1", "Bytes = 1-2 , 4-", "items=0-9", "bytes=99999999999999999999-", "bytes=5-4", ""} {
		f.Add(header, int64(100))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		text := canonicalRange(header, size)
		set, found := strings.CutPrefix(text, "bytes=")
		if text == "" || found && set == strconv.FormatInt(size, 10)+"-" {
			return
		}
		total := int64(0)
		for element := range strings.SplitSeq(set, ",") {
			first, last, _ := strings.Cut(element, "-")
			from, err := strconv.ParseInt(first, 10, 64)
			to, err2 := strconv.ParseInt(last, 10, 64)
			if err != nil || err2 != nil || from < 0 || to < from || to >= size {
				t.Errorf("%q of %d becomes %q", header, size, text)
			}
			total += to - from + 1
		}
		if total > size {
			t.Errorf("%q of %d becomes %q, which is more than the file", header, size, text)
		}
	})
}
