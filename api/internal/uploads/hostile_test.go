package uploads_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// TestPixelBombs: files of some hundred bytes that claim 50,000 by 50,000
// pixels are refused before anybody makes room for those.
func TestPixelBombs(t *testing.T) {
	t.Parallel()
	f := start(t)
	jpg := mediatest.JPEG(4, 4)
	frame := bytes.Index(jpg, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(jpg[frame+5:], 50000)
	binary.BigEndian.PutUint16(jpg[frame+7:], 50000)
	gif := mediatest.Sample(mediafile.GIF)
	binary.LittleEndian.PutUint16(gif[6:], 50000)
	binary.LittleEndian.PutUint16(gif[8:], 50000)
	webp := mediatest.Sample(mediafile.WebP)
	size := bytes.Index(webp, []byte{0x9d, 0x01, 0x2a}) + 3
	binary.LittleEndian.PutUint16(webp[size:], 16383) // the most that its fourteen bits hold
	binary.LittleEndian.PutUint16(webp[size+2:], 16383)
	for name, content := range map[string][]byte{"png": mediatest.ClaimingPNG(50000, 50000), "jpg": jpg, "gif": gif, "webp": webp} {
		reply := f.upload(t, "images", f.user, part{"images", "a." + name, content})
		if reply.Status != http.StatusBadRequest || reply.At("message") != "the picture has more than 50 million pixels; send another one" {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// TestHungryPicture: one below the limit that would need 400 MB to be drawn is
// kept as it is; its own address stands for all sizes.
func TestHungryPicture(t *testing.T) {
	t.Parallel()
	f := start(t)
	reply := f.upload(t, "images", f.user, part{"images", "a.png", mediatest.ClaimingPNG(7000, 7000)})
	files, _ := reply.At("files").([]any)
	if reply.Status != http.StatusOK || len(files) != 1 {
		t.Fatalf("%d %s", reply.Status, reply.Text)
	}
	file, _ := files[0].(map[string]any)
	optimized := f.Post(t, "/api/uploads/optimize-url", f.user, map[string]any{"publicId": file["publicId"], "width": 100})
	if file["thumbnail"] != nil || optimized.At("optimizedUrl") != file["url"] || optimized.At("width") != 7000.0 {
		t.Errorf("%s, then %s", reply.Text, optimized.Text)
	}
}

// TestPolyglots: a file that is also something that browsers would run is what
// its first bytes say, and delivered as nothing else.
func TestPolyglots(t *testing.T) {
	t.Parallel()
	f := start(t)
	const script = "<script>alert(document.domain)</script>"
	pdf := "%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n<html>" + script + "\ntrailer<</Root 1 0 R>>\n%%EOF\n"
	for name, test := range map[string]struct {
		route, field, name, contentType, disposition string
		content                                      []byte
	}{
		"GIF and HTML": {"images", "images", "a.html", "image/gif", "inline", append(mediatest.Sample(mediafile.GIF), script...)},
		"PNG and PHP":  {"images", "images", "a.php", "image/png", "inline", append(mediatest.PNG(4, 4), "<?php system($_GET[0]);"...)},
		"PDF and HTML": {"documents", "documents", "a.html", "application/pdf", "attachment", []byte(pdf)},
		"MP3 and HTML": {"audio", "audio", "a.html", "audio/mpeg", "inline", append(mediatest.Sample(mediafile.MP3), script...)},
	} {
		reply := f.upload(t, test.route, f.user, part{test.field, test.name, test.content})
		file, _ := reply.At("file").(map[string]any)
		if files, many := reply.At("files").([]any); many && len(files) == 1 {
			file, _ = files[0].(map[string]any)
		}
		if reply.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
			continue
		}
		opened := f.Get(t, f.path(t, file["url"]), "")
		for header, want := range map[string]string{
			"Content-Type": test.contentType, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
		} {
			if got := opened.Header.Values(header); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if got := opened.Header.Get("Content-Disposition"); !strings.HasPrefix(got, test.disposition+"; filename=\"m_") || strings.Contains(got, "html") || strings.Contains(got, "php") {
			t.Errorf("%s: Content-Disposition is %q", name, got)
		}
	}
	for name, test := range map[string]part{
		"HTML that begins with a comment": {"images", "a.gif", []byte("<!-- GIF89a --><html>" + script)},
		"SVG that begins with a prologue": {"images", "a.png", []byte("<?xml version=\"1.0\"?>\n<!DOCTYPE svg>\n<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>")},
		"SVG in UTF-16":                   {"images", "a.png", []byte("\xff\xfe<\x00s\x00v\x00g\x00>\x00")},
	} {
		if reply := f.upload(t, "images", f.user, test); reply.Status != http.StatusBadRequest || reply.At("message") != "Only image files are allowed" {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	for name, content := range map[string]string{
		"SVG as a text":  `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
		"HTML as a text": "<!DOCTYPE html><body onload=alert(1)>",
		"XML as a text":  `<?xml version="1.0"?><x xmlns:html="http://www.w3.org/1999/xhtml"><html:script>alert(1)</html:script></x>`,
	} {
		reply := f.upload(t, "documents", f.user, part{"documents", "a.txt", []byte(content)})
		if reply.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
}

// TestIDsThatClimb: no id leaves the store, whoever asks, however it is
// written.
func TestIDsThatClimb(t *testing.T) {
	t.Parallel()
	cloud := mediatest.NewCloud(t)
	for name, f := range map[string]*fixture{
		"local disk": start(t), "Cloudinary": startWith(t, func(string) media.Store { return account(t, cloud.URL) }),
	} {
		for _, id := range []string{
			"etrainer/images/../../../../etc/passwd",
			"etrainer%2Fimages%2F..%2F..%2F..%2Fetc%2Fpasswd",
			"etrainer/images/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
			"etrainer%2Fimages%2F%252e%252e%252f%252e%252e%252fetc%252fpasswd",
			`etrainer%2Fimages%2F..%5C..%5C..%5Cetc%5Cpasswd`,
			"etrainer%2Fimages%2Fx%00.png",
			"etrainer%2Fimages%2Fx%3Finvalidate%3Dfalse",
			"etrainer%2Fimages%2Fx%23y",
			"etrainer%2Fimages%2F%0d%0aSet-Cookie:%20a=b",
			"%2Fetc%2Fpasswd",
			"..%2F..%2Fsecret",
		} {
			for _, token := range []string{f.user, f.admin} {
				for _, r := range []apitest.Request{
					{Method: http.MethodDelete, Path: "/api/uploads/" + id, Token: token},
					{Method: http.MethodDelete, Path: "/api/uploads/" + id + "?resourceType=raw", Token: token},
					{Method: http.MethodGet, Path: "/api/uploads/" + id + "/info", Token: token},
				} {
					reply := f.Do(t, r)
					if reply.Status != http.StatusNotFound && reply.Status != http.StatusBadRequest || reply.Header.Get("Set-Cookie") != "" {
						t.Errorf("%s: %s %s: %d %s", name, r.Method, r.Path, reply.Status, reply.Text)
					}
				}
			}
		}
	}
	if cloud.Requests() != 0 {
		t.Errorf("%d requests with such ids went to Cloudinary", cloud.Requests())
	}
}

// TestFileNames: what a client calls its file is shown without what breaks
// lines, headers and folders, and no header of ours has it.
func TestFileNames(t *testing.T) {
	t.Parallel()
	f := start(t)
	for disposition, want := range map[string]string{
		`form-data; name="images"; filename="../../etc/passwd"`:                                  "passwd",
		`form-data; name="images"; filename="C:\\Users\\me\\a.png"`:                              "a.png",
		`form-data; name="images"; filename*=UTF-8''a%0d%0aSet-Cookie%3A%20x%3Dy%0d%0a%0d%0aboo`: "aSet-Cookie: x=yboo",
		`form-data; name="images"; filename*=UTF-8''a%22%3B%20filename%3D%22b.html`:              `a"; filename="b.html`,
		`form-data; name="images"; filename*=UTF-8''a%00.png`:                                    "a.png",
		`form-data; name="images"; filename*=UTF-8''%E2%80%AEgnp.exe`:                            "gnp.exe",
		`form-data; name="images"; filename="<img src=x onerror=alert(1)>.png"`:                  "<img src=x onerror=alert(1)>.png", // JSON: pages escape
		`form-data; name="images"; filename="` + strings.Repeat("a", 1000) + `"`:                 strings.Repeat("a", 255),
		`form-data; name="images"; filename="t` + "\xc3\xaa\xff" + `n.png"`:                      "tê\ufffdn.png",
	} {
		body := "--b\r\nContent-Disposition: " + disposition + "\r\nContent-Type: image/png\r\n\r\n" + string(mediatest.PNG(2, 2)) + "\r\n--b--\r\n"
		reply := f.Do(t, apitest.Request{
			Method: http.MethodPost, Path: "/api/uploads/images", Token: f.user, Body: body,
			Header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"},
		})
		files, _ := reply.At("files").([]any)
		if reply.Status != http.StatusOK || len(files) != 1 {
			t.Errorf("%s: %d %s", disposition, reply.Status, reply.Text)
			continue
		}
		file, _ := files[0].(map[string]any)
		if file["originalName"] != want {
			t.Errorf("%s: the name is %q, want %q", disposition, file["originalName"], want)
		}
		opened := f.Get(t, f.path(t, file["url"]), "")
		for _, header := range []http.Header{reply.Header, opened.Header} {
			if header.Get("Set-Cookie") != "" || strings.Contains(header.Get("Content-Disposition"), "html") {
				t.Errorf("%s: %v", disposition, header)
			}
		}
	}
}
