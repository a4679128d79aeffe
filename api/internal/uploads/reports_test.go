package uploads_test

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/media/mediatest"
)

// TestReportedUploads: files of the kinds that public bug reports of other
// programs are about, sent as a client sends them.
func TestReportedUploads(t *testing.T) {
	t.Parallel()
	f := start(t)
	fields := map[string]string{"images": "images", "audio": "audio", "videos": "video", "documents": "documents"}
	for name, test := range map[string]struct {
		route, format string
		width, height any
		seconds       float64 // 0 = null
		contentType   string
	}{
		"exif6.webp":          {"images", "webp", 400.0, 640.0, 0, "image/webp"},
		"exif6_I_3.jpg":       {"images", "jpg", 400.0, 640.0, 0, "image/jpeg"},
		"s_221112.jpg":        {"images", "jpg", 640.0, 400.0, 0, "image/jpeg"},
		"s_122111.jpg":        {"images", "jpg", 640.0, 400.0, 0, "image/jpeg"},
		"dnl.jpg":             {"images", "jpg", 640.0, 400.0, 0, "image/jpeg"},
		"apng.png":            {"images", "png", 640.0, 400.0, 0, "image/png"},
		"anim.gif":            {"images", "gif", 64.0, 40.0, 0, "image/gif"},
		"icc.jpg":             {"images", "jpg", 640.0, 400.0, 0, "image/jpeg"},
		"apeend.mp3":          {"audio", "mp3", nil, nil, 10, "audio/mpeg"},
		"xing_noframes.mp3":   {"audio", "mp3", nil, nil, 10, "audio/mpeg"},
		"vbr_nohdr.mp3":       {"audio", "mp3", nil, nil, 10, "audio/mpeg"},
		"twoid3.mp3":          {"audio", "mp3", nil, nil, 10, "audio/mpeg"},
		"id3art.mp3":          {"audio", "mp3", nil, nil, 10, "audio/mpeg"},
		"opus_live.ogg":       {"audio", "ogg", nil, nil, 10, "audio/ogg"},
		"opus_lastminus1.ogg": {"audio", "ogg", nil, nil, 10, "audio/ogg"},
		"data0.wav":           {"audio", "wav", nil, nil, 3, "audio/wav"},
		"byteratebad.wav":     {"audio", "wav", nil, nil, 3, "audio/wav"},
		"m4a_chapters.m4a":    {"audio", "m4a", nil, nil, 10, "audio/mp4"},
		"frag.mp4":            {"videos", "mp4", 320.0, 240.0, 10, "video/mp4"},
		"mvhd0_mdhd.mp4":      {"videos", "mp4", 320.0, 240.0, 10, "video/mp4"},
		"noftyp_udta.mov":     {"videos", "mov", 320.0, 240.0, 10, "video/quicktime"},
		"thumbbefore.docx":    {"documents", "docx", nil, nil, 0, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		"trashbig.docx":       {"documents", "docx", nil, nil, 0, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		"gdocs.docx":          {"documents", "docx", nil, nil, 0, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		"lead10.pdf":          {"documents", "pdf", nil, nil, 0, "application/pdf"},
		"u16le.txt":           {"documents", "txt", nil, nil, 0, "text/plain; charset=utf-16le"},
		"u8.txt":              {"documents", "txt", nil, nil, 0, "text/plain; charset=utf-8"},
		"long_vi.txt":         {"documents", "txt", nil, nil, 0, "text/plain; charset=utf-8"},
	} {
		file := f.one(t, test.route, part{fields[test.route], name, mediatest.Report(t, name)})
		if file["format"] != test.format || file["width"] != test.width || file["height"] != test.height || file["originalName"] != name {
			t.Errorf("%s: %v", name, file)
		}
		seconds, told := file["duration"].(float64)
		if told != (test.seconds > 0) || math.Abs(seconds-test.seconds) > test.seconds*0.005 {
			t.Errorf("%s: the length is %v, want %g", name, file["duration"], test.seconds)
		}
		if opened := f.Get(t, f.path(t, file["url"]), ""); opened.Header.Get("Content-Type") != test.contentType {
			t.Errorf("%s: it is served as %q", name, opened.Header.Get("Content-Type"))
		}
		thumbnail := test.route == "images" && name != "apng.png" && name != "anim.gif" && name != "s_122111.jpg"
		if (file["thumbnail"] != nil) != thumbnail {
			t.Errorf("%s: the thumbnail is %v", name, file["thumbnail"])
		}
		if name == "icc.jpg" {
			if small := f.Get(t, f.path(t, file["thumbnail"]), ""); !strings.Contains(small.Text, "ICC_PROFILE") {
				t.Error("the thumbnail has lost the colour profile")
			}
		}
	}
	for _, text := range []string{"GIF89a File Specification", "RIFF as WAVE container", "MThd begins MIDI", "The %PDF-1.4 mark is at the start of each PDF file."} {
		if file := f.one(t, "documents", part{"documents", "a.txt", []byte(text)}); file["format"] != "txt" {
			t.Errorf("%q is a %v", text, file["format"])
		}
	}
}

// TestStrangers: whoever asks for sizes of somebody's picture uses up none of the
// owner's, and every answer is true.
func TestStrangers(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := f.one(t, "images", part{"images", "a.jpg", mediatest.JPEG(200, 200)})["publicId"]
	ask := func(token string, width, height int) apitest.Reply {
		return f.Post(t, "/api/uploads/optimize-url", token, map[string]any{"publicId": id, "width": width, "height": height})
	}
	for width := 1; width < 30; width++ {
		reply := ask(f.other, width, 7)
		asAsked := reply.At("width") == float64(width) && reply.At("height") == 7.0
		if limited := reply.At("limited"); limited != !asAsked || (reply.At("reason") == nil) != asAsked {
			t.Errorf("the size %d: %s", width, reply.Text)
		}
	}
	if reply := ask(f.other, 29, 7); reply.At("width") != 200.0 || reply.At("limited") != true {
		t.Errorf("a stranger's last size: %s", reply.Text)
	}
	for name, token := range map[string]string{"owner": f.user, "administrator": f.admin} {
		height := 50 + len(name)
		if reply := ask(token, 100, height); reply.At("width") != 100.0 || reply.At("height") != float64(height) || reply.At("limited") != false || reply.At("reason") != nil {
			t.Errorf("the %s: %s", name, reply.Text)
		}
	}
	for name, test := range map[string]struct {
		format, reason string
		body           map[string]any
	}{
		"larger":           {"base.jpg", "not enlarged", map[string]any{"width": 700}},
		"moving":           {"anim.gif", "moves", map[string]any{"width": 20}},
		"moving PNG":       {"apng.png", "moves", map[string]any{"height": 20}},
		"of a kind":        {"s_122111.jpg", "kind", map[string]any{"width": 20}},
		"moving, as it is": {"anim.gif", "", map[string]any{}},
		"its own size":     {"anim.gif", "", map[string]any{"width": 64, "height": 40}},
	} {
		test.body["publicId"] = f.one(t, "images", part{"images", "a", mediatest.Report(t, test.format)})["publicId"]
		reply := f.Post(t, "/api/uploads/optimize-url", f.user, test.body)
		reason, _ := reply.At("reason").(string)
		if reply.At("limited") != (test.reason != "") || !strings.Contains(reason, test.reason) || test.reason == "" && reason != "" {
			t.Errorf("%s: %s", name, reply.Text)
		}
	}
}

// TestRanges are those of RFC 9110, section 14: what is no range of ours is
// answered with the whole file, and what the file does not have with 416.
func TestRanges(t *testing.T) {
	t.Parallel()
	f := start(t)
	content := string(mediatest.WAV(1))
	path := f.path(t, f.one(t, "audio", part{"audio", "a.wav", []byte(content)})["url"])
	size := len(content) // 8,044
	for asked, want := range map[string]struct {
		status int
		body   string
	}{
		"bytes=0-99":                            {206, content[:100]},
		"bytes=100-":                            {206, content[100:]},
		"bytes=-100":                            {206, content[size-100:]},
		"bytes=8043-99999999":                   {206, content[8043:]},
		"bytes=-99999999":                       {206, content},
		"bytes=0-":                              {206, content},
		"bytes=8040-99999999999999999999":       {206, content[8040:]},
		"bytes=-99999999999999999999":           {206, content},
		"Bytes=0-9":                             {206, content[:10]},
		"bytes=\t0-9\t":                         {206, content[:10]},
		"bytes=,0-9,,":                          {206, content[:10]},
		"bytes=0-9,9000-":                       {206, content[:10]},
		"bytes=0-9,-0":                          {206, content[:10]},
		"bytes=-0":                              {416, ""},
		"bytes=8044-":                           {416, ""},
		"bytes=9000-9999":                       {416, ""},
		"bytes=99999999999999999999-":           {416, ""},
		"bytes=9000-,-0":                        {416, ""},
		"items=0-9":                             {200, content},
		"lines=1-2":                             {200, content},
		"bytes":                                 {200, content},
		"bytes=":                                {200, content},
		"bytes=,":                               {200, content},
		"bytes=9-4":                             {200, content},
		"bytes=a-b":                             {200, content},
		"bytes=+1-9":                            {200, content},
		"bytes=1-9;2":                           {200, content},
		"bytes=--9":                             {200, content},
		"bytes=-":                               {200, content},
		"bytes=0-9,5-14":                        {200, content}, // twice the same
		"bytes=0-" + strings.Repeat(",0-", 99):  {200, content},
		"bytes=" + strings.Repeat("0-0,", 1000): {200, content},
	} {
		reply := f.Do(t, apitest.Request{Path: path, Header: map[string]string{"Range": asked}})
		if reply.Status != want.status || want.status != 416 && reply.Text != want.body {
			t.Errorf("%.40s: %d, %d bytes; want %d", asked, reply.Status, len(reply.Text), want.status)
		}
		if got := reply.Header.Get("Content-Range"); want.status == 416 && got != "bytes */8044" || want.status == 200 && got != "" {
			t.Errorf("%.40s: Content-Range is %q", asked, got)
		}
		head := f.Do(t, apitest.Request{Method: http.MethodHead, Path: path, Header: map[string]string{"Range": asked}})
		if head.Status != 200 || head.Header.Get("Content-Length") != "8044" {
			t.Errorf("HEAD of %.40s: %d, %s bytes", asked, head.Status, head.Header.Get("Content-Length"))
		}
	}
	two := f.Do(t, apitest.Request{Path: path, Header: map[string]string{"Range": "bytes=0-3,40-43"}})
	if two.Status != 206 || !strings.HasPrefix(two.Header.Get("Content-Type"), "multipart/byteranges") || !strings.Contains(two.Text, "RIFF") || !strings.Contains(two.Text, "Content-Range: bytes 40-43/8044") {
		t.Errorf("two parts: %d %v", two.Status, two.Header)
	}
	tag := two.Header.Get("ETag")
	for condition, status := range map[string]int{tag: 206, `"other"`: 200, "W/" + tag: 200, two.Header.Get("Last-Modified"): 206, "Mon, 01 Jan 2001 00:00:00 GMT": 200} {
		if reply := f.Do(t, apitest.Request{Path: path, Header: map[string]string{"Range": "bytes=0-3", "If-Range": condition}}); reply.Status != status {
			t.Errorf("if it is still %s: %d, want %d", condition, reply.Status, status)
		}
	}
	// A condition comes before the range.
	if reply := f.Do(t, apitest.Request{Path: path, Header: map[string]string{"Range": "bytes=-0", "If-None-Match": tag}}); reply.Status != http.StatusNotModified {
		t.Errorf("a condition that holds: %d", reply.Status)
	}
}

// TestCompressedUploads: a body that is compressed is 415, on every route.
func TestCompressedUploads(t *testing.T) {
	t.Parallel()
	f := start(t)
	body, contentType := form(part{"images", "a.png", mediatest.PNG(4, 4)})
	for _, path := range []string{"/api/uploads/images", "/api/uploads/audio", "/api/uploads/optimize-url", "/api/auth/login"} {
		reply := f.Do(t, apitest.Request{
			Method: http.MethodPost, Path: path, Token: f.user, Body: body, Header: map[string]string{"Content-Type": contentType, "Content-Encoding": "gzip"},
		})
		if reply.Status != http.StatusUnsupportedMediaType || reply.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s: %d %s", path, reply.Status, reply.Text)
		}
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}
