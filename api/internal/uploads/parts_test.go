package uploads_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/media/mediatest"
)

// raw sends a body of parts as they are: each its headers, a blank line, and its
// content.
func (f *fixture) raw(t *testing.T, route string, parts ...string) apitest.Reply {
	t.Helper()
	body := "--b\r\n" + strings.Join(parts, "\r\n--b\r\n") + "\r\n--b--\r\n"
	return f.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/api/uploads/" + route, Token: f.user, Body: body, Header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"},
	})
}

// named is a picture with a Content-Disposition.
func named(disposition string) string {
	return "Content-Disposition: " + disposition + "\r\n\r\n" + string(mediatest.PNG(2, 2))
}

// TestNames: a file has the name that its client gave it, however clients write
// that, and never one that is empty, a path, or cannot be seen.
func TestNames(t *testing.T) {
	t.Parallel()
	f := start(t)
	long := strings.Repeat("ờ", 100)
	for disposition, want := range map[string]string{
		// With a charset.
		`form-data; name="images"; filename*=ISO-8859-1''caf%E9.png`:                    "café.png",
		`form-data; name="images"; filename*=iso-8859-1'fr'caf%E9.png`:                  "café.png",
		`form-data; name="images"; filename*=windows-1258''b%E0i.png`:                   "bài.png",
		`form-data; name="images"; filename*=Shift_JIS''%83e%83X%83g.png`:               "テスト.png",
		`form-data; name="images"; filename*=UTF-8''B%C3%A0i%20h%E1%BB%8Dc.png`:         "Bài học.png",
		`form-data; name="images"; FILENAME*=utf-8''a.png`:                              "a.png",
		`form-data; name="images"; filename="plain.png"; filename*=UTF-8''b%C3%A0i.png`: "bài.png",
		`form-data; name="images"; filename*=UTF-8''b%C3%A0i.png; filename="plain.png"`: "bài.png",
		`form-data; name="images"; filename="plain.png"; filename*=nonsense`:            "plain.png",
		`form-data; name="images"; filename="plain.png"; filename*=klingon''a.png`:      "plain.png",
		`form-data; name="images"; filename*0="very "; filename*1="long.png"`:           "very long.png",
		`form-data; name="images"; filename*0*=UTF-8''B%C3%A0i%20; filename*1="h.png"`:  "Bài h.png",
		`form-data; name="images"; filename*0*=ISO-8859-1''caf%E9; filename*1*=%2Epng`:  "café.png",
		`form-data; name="images"; filename="=?UTF-8?B?QsOgaSBo4buNYy5wbmc=?="`:         "Bài học.png",
		`form-data; name="images"; filename="=?iso-8859-1?Q?caf=E9.png?="`:              "café.png",
		`form-data; name="images"; filename="=?no words.png"`:                           "=?no words.png",
		`form-data; name="images"; filename="Bài học.png"`:                              "Bài học.png",
		`form-data; name="images"; filename="caf` + "\xe9" + `.png"`:                    "caf\ufffd.png",
		// Quotes, as browsers and tools write them.
		`form-data; name="images"; filename="my %22best%22 shot.png"`:                      `my "best" shot.png`,
		`form-data; name="images"; filename="my \"best\" shot.png"`:                        `my "best" shot.png`,
		`form-data; name="images"; filename="100%25 sure%20.png"`:                          "100%25 sure%20.png",
		`form-data; name="images"; filename="two%0D%0Alines.png"`:                          "twolines.png",
		`form-data; name="images"; filename="a;b=c.png"`:                                   "a;b=c.png",
		`form-data; name="images"; filename="a\"; b.png"`:                                  `a"; b.png`,
		`form-data; filename="a.png"; name="images"`:                                       "a.png",
		`form-data; filename="ends in \"; name="images"`:                                   "image.png",
		`form-data; name="images"; filename="ends in \"`:                                   "image.png",
		`form-data; name=images; filename=bare.png`:                                        "bare.png",
		`form-data; name=images; filename=my bare photo.png`:                               "my bare photo.png",
		`form-data ; name = "images" ; filename = "spaces.png" ;`:                          "spaces.png",
		`Form-Data; NAME="images"; FileName="capitals.png"`:                                "capitals.png",
		`form-data; name="images"; filename="  spaces  around .png  "`:                     "spaces  around .png",
		`form-data; name="images"; filename="` + "\u00a0\u3000wide spaces.png\u3000" + `"`: "wide spaces.png",
		// Folders.
		`form-data; name="images"; filename="C:\Users\me\a.png"`:     "a.png",
		`form-data; name="images"; filename="\\server\share\a.png"`:  "a.png",
		`form-data; name="images"; filename="/etc/passwd.png"`:       "passwd.png",
		`form-data; name="images"; filename="../..\..\a.png"`:        "a.png",
		`form-data; name="images"; filename*=UTF-8''..%2F..%2Fa.png`: "a.png",
		// None.
		`form-data; name="images"; filename=".."`:                         "image.png",
		`form-data; name="images"; filename="."`:                          "image.png",
		`form-data; name="images"; filename="..."`:                        "image.png",
		`form-data; name="images"; filename=".png"`:                       "image.png",
		`form-data; name="images"; filename="folder/"`:                    "image.png",
		`form-data; name="images"; filename="   "`:                        "image.png",
		`form-data; name="images"; filename=""`:                           "image.png",
		`form-data; name="images"; filename="` + "\u200b\u200b" + `.png"`: "image.png",
		`form-data; name="images"; filename="` + "\u200d\u200c" + `.png"`: "image.png",
		`form-data; name="images"; filename*=UTF-8''%00%01`:               "image.png",
		// Signs that cannot be seen.
		`form-data; name="images"; filename="pho` + "\u200b\u200e\u200f\u2060\u2061\u2064\ufeff\u00ad" + `to.png"`: "photo.png",
		`form-data; name="images"; filename="invoice` + "\u202e" + `gnp.exe"`:                                      "invoicegnp.exe",
		`form-data; name="images"; filename="a` + "\u2066b\u2069\u061c" + `.png"`:                                  "ab.png",
		`form-data; name="images"; filename="a` + "\u2028b\u2029\u0085" + `.png"`:                                  "ab.png",
		`form-data; name="images"; filename="a` + "\u115f\u3164\uffa0\u034f\u180e" + `.png"`:                       "a.png",
		`form-data; name="images"; filename="a` + "\U000e0041\U000e007f" + `.png"`:                                 "a.png",
		`form-data; name="images"; filename="نامه` + "\u200c" + `ها.png"`:                                          "نامه\u200cها.png",
		`form-data; name="images"; filename="👩` + "\u200d" + `🏫 ❤` + "\ufe0f" + `.png"`:                            "👩\u200d🏫 ❤\ufe0f.png",
		// Long ones.
		`form-data; name="images"; filename="` + strings.Repeat("a", 300) + `.png"`: strings.Repeat("a", 251) + ".png",
		`form-data; name="images"; filename="` + long + `.png"`:                     strings.Repeat("ờ", 83) + ".png",
		`form-data; name="images"; filename="` + long + `"`:                         strings.Repeat("ờ", 85),
		`form-data; name="images"; filename="a.` + strings.Repeat("b", 300) + `"`:   "a." + strings.Repeat("b", 253),
	} {
		reply := f.raw(t, "images", named(disposition))
		files, _ := reply.At("files").([]any)
		if reply.Status != http.StatusOK || len(files) != 1 {
			t.Errorf("%s: %d %s", disposition, reply.Status, reply.Text)
			continue
		}
		file, _ := files[0].(map[string]any)
		if got, _ := file["originalName"].(string); got != want || len(got) > 255 || !utf8.ValidString(got) {
			t.Errorf("%s: the name is %q, want %q", disposition, got, want)
		}
	}
}

// TestPartsThatCannotBeRead are refused with the reason, and nothing is stored
// of those beside them.
func TestPartsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := start(t)
	picture := string(mediatest.PNG(2, 2))
	good := named(`form-data; name="images"; filename="good.png"`)
	for name, test := range map[string]struct{ part, reason string }{
		"two names":                  {named(`form-data; name="images"; filename="a.png"; filename="b.png"`), `"filename" twice`},
		"two names, one in capitals": {named(`form-data; name="images"; filename="a.png"; FILENAME="b.png"`), `"filename" twice`},
		"two fields":                 {named(`form-data; name="images"; name="other"; filename="a.png"`), `"name" twice`},
		"no field":                   {named(`form-data; filename="a.png"`), "no name of a field"},
		"nothing":                    {named(`form-data`), "no name of a field"},
		"no disposition":             {"Content-Type: image/png\r\n\r\n" + picture, "no Content-Disposition"},
		"two dispositions":           {"Content-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\n" + good, "two headers"},
		"another disposition":        {named(`attachment; name="images"; filename="a.png"`), "not form-data"},
		"an unknown charset":         {named(`form-data; name="images"; filename*=klingon''a.png`), `"klingon", which is not known`},
		"no charset":                 {named(`form-data; name="images"; filename*=a.png`), "charset'language'name"},
		"broken percent signs":       {named(`form-data; name="images"; filename*=UTF-8''%ZZ.png`), "not percent-encoded"},
		"an open quote":              {named(`form-data; name="images"; filename="a.png`), "no closing quote"},
		"signs behind a quote":       {named(`form-data; name="images"; filename="a"b"c".png`), "signs behind a quote"},
		"no value":                   {named(`form-data; name="images"; filename`), "cannot be read"},
		"a text instead of a file":   {"Content-Disposition: form-data; name=\"images\"\r\n\r\nhello", "holds a text and no file"},
		"a text that says so":        {"Content-Disposition: form-data; name=\"images\"\r\nContent-Type: text/plain\r\n\r\nhello", "holds a text and no file"},
		"compressed":                 {"Content-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\nContent-Encoding: gzip\r\n\r\n" + picture, "compressed"},
		"an unknown coding":          {"Content-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n" + picture, "x-uuencode"},
		"broken base64":              {"Content-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!", "broken"},
	} {
		for _, parts := range [][]string{{test.part}, {good, test.part}, {test.part, good}} {
			reply := f.raw(t, "images", parts...)
			if reply.Status != http.StatusBadRequest || reply.At("error") != "Image upload failed" || !strings.Contains(strings.ReplaceAll(reply.Text, `\"`, `"`), test.reason) {
				t.Errorf("%s: %d %s, want %s", name, reply.Status, reply.Text, test.reason)
			}
		}
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// TestPartsOfOldClients: what mailers and terse clients send is a file, and what
// is none is passed over.
func TestPartsOfOldClients(t *testing.T) {
	t.Parallel()
	f := start(t)
	picture := string(mediatest.PNG(2, 2))
	letters := base64.StdEncoding.EncodeToString([]byte(picture))
	head := "Content-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\n"
	for name, test := range map[string]struct {
		parts []string
		count int
	}{
		"in base64":                {[]string{head + "Content-Transfer-Encoding: base64\r\n\r\n" + letters[:20] + "\r\n" + letters[20:] + "\r\n"}, 1},
		"binary":                   {[]string{head + "Content-Transfer-Encoding: BINARY\r\n\r\n" + picture}, 1},
		"with a folded header":     {[]string{"Content-Disposition: form-data;\r\n name=\"images\";\r\n\tfilename=\"a.png\"\r\n\r\n" + picture}, 1},
		"without a name":           {[]string{"Content-Disposition: form-data; name=\"images\"\r\nContent-Type: image/png\r\n\r\n" + picture}, 1},
		"nothing chosen":           {[]string{"Content-Disposition: form-data; name=\"images\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n"}, 0},
		"an empty field":           {[]string{"Content-Disposition: form-data; name=\"images\"\r\n\r\n"}, 0},
		"fields that are none":     {[]string{"Content-Disposition: form-data; name=\"title\"\r\n\r\nHello", head + "\r\n" + picture}, 1},
		"an empty name of another": {[]string{"Content-Disposition: form-data; name=\"x\"; filename=\"\"\r\n\r\nHello"}, 0},
	} {
		reply := f.raw(t, "images", test.parts...)
		if reply.Status != http.StatusOK || reply.At("count") != float64(test.count) {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
		files, _ := reply.At("files").([]any)
		for _, file := range files {
			object, _ := file.(map[string]any)
			if object["size"] != float64(len(picture)) || object["originalName"] != "a.png" && object["originalName"] != "image.png" {
				t.Errorf("%s: %v", name, object)
			}
		}
	}
	text := "Content-Disposition: form-data; name=\"documents\"; filename=\"a.txt\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nB=C3=A0i h=\r\n=E1=BB=8Dc"
	reply := f.raw(t, "documents", text)
	files, _ := reply.At("files").([]any)
	if reply.Status != http.StatusOK || len(files) != 1 {
		t.Fatalf("quoted-printable: %d %s", reply.Status, reply.Text)
	}
	file, _ := files[0].(map[string]any)
	if opened := f.Get(t, f.path(t, file["url"]), ""); opened.Text != "Bài học" {
		t.Errorf("quoted-printable: %q", opened.Text)
	}
}

// TestRefusalsSayWhy: the message is that of the Node backend; the details say
// what the file is and what is taken.
func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	f := start(t)
	heic := "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
	document := mediatest.Entry{Name: "word/document.xml", Content: "<document/>"}
	docm := mediatest.Archive(mediatest.Contents("application/vnd.ms-word.document.macroEnabled.main+xml"), document)
	for name, test := range map[string]struct {
		route, field string
		content      []byte
		message      string
		says         []string
	}{
		"empty text":       {"documents", "documents", mediatest.Report(t, "empty.txt"), "Only PDF, DOC, DOCX, and TXT files are allowed", []string{"the file is empty", "send PDF, DOC, DOCX or TXT"}},
		"empty picture":    {"images", "images", nil, "Only image files are allowed", []string{"the file is empty", "send JPEG, PNG, GIF or WebP"}},
		"empty sound":      {"audio", "audio", nil, "Only audio files are allowed", []string{"the file is empty", "send MP3, WAV, OGG or M4A"}},
		"empty film":       {"videos", "video", nil, "Only video files are allowed", []string{"the file is empty", "send MP4, MOV, AVI or WMV"}},
		"HEIC":             {"images", "images", []byte(heic), "Only image files are allowed", []string{"HEIC", "JPEG"}},
		"text as picture":  {"images", "images", []byte("hello"), "Only image files are allowed", []string{"plain text"}},
		"film in Ogg":      {"audio", "audio", mediatest.Report(t, "theora.ogg"), "Only audio files are allowed", []string{"film in Ogg"}},
		"film in MP4":      {"audio", "audio", mediatest.Report(t, "base.mp4"), "Only audio files are allowed", []string{"film in MP4"}},
		"sound as film":    {"videos", "video", mediatest.Report(t, "m4a_chapters.m4a"), "Only video files are allowed", []string{"sound in M4A"}},
		"ZIP":              {"documents", "documents", mediatest.Report(t, "plain.zip"), "Only PDF, DOC, DOCX, and TXT files are allowed", []string{"ZIP archive"}},
		"folder in a ZIP":  {"documents", "documents", mediatest.Report(t, "wordfolder.zip"), "Only PDF, DOC, DOCX, and TXT files are allowed", []string{"ZIP archive"}},
		"macros":           {"documents", "documents", docm, "Only PDF, DOC, DOCX, and TXT files are allowed", []string{"macros", "save it as DOCX"}},
		"macros in DOC":    {"documents", "documents", mediatest.Compound("WordDocument", "Macros"), "Only PDF, DOC, DOCX, and TXT files are allowed", []string{"macros"}},
		"picture as PDF":   {"documents", "documents", mediatest.PNG(2, 2), "Only PDF, DOC, DOCX, and TXT files are allowed", []string{"picture in PNG"}},
		"program":          {"documents", "documents", []byte("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 60)), "Only PDF, DOC, DOCX, and TXT files are allowed", []string{"application/x-"}},
		"nobody knows":     {"images", "images", []byte("\x00\x01\x02\x03\xff\xfe\xfd"), "Only image files are allowed", []string{"no type"}},
		"film without end": {"videos", "video", append(mediatest.FileType(), mediatest.Filling(100, 108)...), "the file is damaged: it has no index of what is in it (moov); it was perhaps cut off; send another one", []string{"moov"}},
	} {
		reply := f.upload(t, test.route, f.user, part{test.field, "a", test.content})
		details, _ := reply.At("details").([]any)
		if reply.Status != http.StatusBadRequest || reply.At("message") != test.message || len(details) != 1 {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
			continue
		}
		detail, _ := details[0].(map[string]any)
		text, _ := detail["message"].(string)
		for _, says := range test.says {
			if !strings.Contains(text, says) || detail["field"] != test.field {
				t.Errorf("%s: %v does not say %q", name, detail, says)
			}
		}
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// TestPlacesOfTelephones: what a telephone notes in a picture is neither stored
// nor served, and the picture still lies as it was held.
func TestPlacesOfTelephones(t *testing.T) {
	t.Parallel()
	f := start(t)
	const secret = "21.0285N 105.8542E"
	turned := mediatest.Turned(mediatest.JPEG(40, 20), 6)
	note := "\xff\xe1\x00\x30http://ns.adobe.com/xap/1.0/\x00" + secret[:17]
	jpg := []byte(string(turned[:2]) + note + string(turned[2:]) + "the film of a motion photo at " + secret)
	file := f.one(t, "images", part{"images", "IMG_1.jpg", jpg})
	opened := f.Get(t, f.path(t, file["url"]), "")
	if strings.Contains(opened.Text, secret[:9]) || file["size"] != float64(len(opened.Text)) || !strings.Contains(opened.Text, "Exif") {
		t.Errorf("%v bytes are told, %d are served: %q", file["size"], len(opened.Text), opened.Text[:80])
	}
	if file["width"] != 20.0 || file["height"] != 40.0 || !bytes.Equal(mediatest.Turned(mediatest.JPEG(40, 20), 6), []byte(opened.Text)) {
		t.Errorf("%v", file)
	}
	if files, _ := f.left(t); files != 2 { // the picture and its thumbnail
		t.Errorf("%d files are left", files)
	}
}
