package uploads_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// fixture is an api with an administrator and two users.
type fixture struct {
	*apitest.API
	db                 *mongo.Database
	dir                string
	admin, user, other string
}

func start(t *testing.T, change ...func(*apitest.Options)) *fixture {
	t.Helper()
	db, o := mongotest.Database(t), apitest.Options{MediaDir: t.TempDir()}
	for _, each := range change {
		each(&o)
	}
	f := &fixture{API: apitest.Start(t, db, o), db: db, dir: o.MediaDir}
	f.admin, f.user, f.other = f.Token(t, "admin@example.com"), f.Token(t, "user@example.com"), f.Token(t, "else@example.com")
	return f
}

// part is one file of a body.
type part struct {
	field, name string
	content     []byte
}

func form(parts ...part) (body string, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		file, err := w.CreateFormFile(p.field, p.name)
		if err == nil {
			_, err = file.Write(p.content)
		}
		if err != nil {
			panic(err)
		}
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

func (f *fixture) upload(t *testing.T, route, token string, parts ...part) apitest.Reply {
	t.Helper()
	body, contentType := form(parts...)
	return f.Do(t, apitest.Request{Method: http.MethodPost, Path: "/api/uploads/" + route, Token: token, Body: body, Header: map[string]string{"Content-Type": contentType}})
}

// one uploads a file of the user's, and returns what the reply says of it.
func (f *fixture) one(t *testing.T, route string, p part) map[string]any {
	t.Helper()
	reply := f.upload(t, route, f.user, p)
	file, _ := reply.At("file").(map[string]any)
	if files, many := reply.At("files").([]any); many && len(files) == 1 {
		file, _ = files[0].(map[string]any)
	}
	if reply.Status != http.StatusOK || file == nil {
		t.Fatalf("upload of %s: %d %s", p.name, reply.Status, reply.Text)
	}
	return file
}

// left is what is on the disk and in the records.
func (f *fixture) left(t *testing.T) (files int, records int64) {
	t.Helper()
	err := filepath.Walk(f.dir, func(_ string, info os.FileInfo, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was removed while this looks
			return nil
		case err == nil && !info.IsDir():
			files++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	records, err = f.db.Collection(schema.MediaAssets).CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return files, records
}

// path is an address of the api without its origin.
func (f *fixture) path(t *testing.T, address any) string {
	t.Helper()
	text, _ := address.(string)
	path, ours := strings.CutPrefix(text, f.URL)
	if !ours {
		t.Fatalf("%v is no address of %s", address, f.URL)
	}
	return path
}

// TestLifeOfEveryKind: upload, open, inspect, delete.
func TestLifeOfEveryKind(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, test := range []struct {
		route, field, format, contentType string
		duration                          any
	}{
		{"images", "images", "png", "image/png", nil},
		{"images", "images", "jpg", "image/jpeg", nil},
		{"audio", "audio", "wav", "audio/wav", 2.0},
		{"audio", "audio", "m4a", "audio/mp4", 4.5},
		{"videos", "video", "mp4", "video/mp4", 4.5},
		{"videos", "videos", "mov", "video/quicktime", 4.5},
		{"documents", "documents", "pdf", "application/pdf", nil},
		{"documents", "documents", "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", nil},
	} {
		content := mediatest.Sample(mediafile.Format(test.format))
		reply := f.upload(t, test.route, f.user, part{test.field, "tên của tôi." + test.format, content})
		file, _ := reply.At("file").(map[string]any)
		if files, many := reply.At("files").([]any); many && len(files) == 1 {
			file, _ = files[0].(map[string]any)
		}
		if reply.Status != http.StatusOK || file["format"] != test.format || file["size"] != float64(len(content)) || file["duration"] != test.duration || file["originalName"] != "tên của tôi."+test.format {
			t.Errorf("%s: %d %s", test.format, reply.Status, reply.Text)
			continue
		}
		opened := f.Get(t, f.path(t, file["url"]), "")
		if opened.Status != http.StatusOK || opened.Text != string(content) || opened.Header.Get("Content-Type") != test.contentType ||
			opened.Header.Get("X-Content-Type-Options") != "nosniff" || opened.Header.Get("ETag") == "" || opened.Header.Get("Content-Disposition") == "" {
			t.Errorf("%s: %d %v", test.format, opened.Status, opened.Header)
		}
		id, _ := file["publicId"].(string)
		for _, written := range []string{id, url.PathEscape(id)} {
			info := f.Get(t, "/api/uploads/"+written+"/info", f.user)
			if info.Status != http.StatusOK || info.At("info", "publicId") != id || info.At("info", "bytes") != float64(len(content)) {
				t.Errorf("info of %s: %d %s", written, info.Status, info.Text)
			}
			for _, method := range []string{http.MethodDelete, http.MethodGet} {
				path := "/api/uploads/" + written
				if method == http.MethodGet {
					path += "/info"
				}
				refused := f.Do(t, apitest.Request{Method: method, Path: path, Token: f.other})
				if named := refused.At("publicId") == id; refused.Status != http.StatusNotFound || named != (method == http.MethodDelete) {
					t.Errorf("%s of somebody else: %d %s", method, refused.Status, refused.Text)
				}
			}
		}
		deleted := f.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/api/uploads/" + id, Token: f.user})
		if deleted.Status != http.StatusOK || deleted.At("result", "result") != "ok" {
			t.Errorf("delete: %d %s", deleted.Status, deleted.Text)
		}
		if again := f.Get(t, f.path(t, file["url"]), ""); again.Status != http.StatusNotFound {
			t.Errorf("after the delete: %d", again.Status)
		}
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// TestWhatIsRefused: with the texts of the Node backend, and nothing remains.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	f := start(t)
	png := mediatest.PNG(4, 4)
	svg := []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)
	for name, test := range map[string]struct {
		route          string
		parts          []part
		error, message string
	}{
		"SVG with script":    {"images", []part{{"images", "a.png", svg}}, "Image upload failed", "Only image files are allowed"},
		"HTML as a text":     {"documents", []part{{"documents", "a.txt", []byte("<html><script>alert(1)</script>")}}, "Document upload failed", "Only PDF, DOC, DOCX, and TXT files are allowed"},
		"picture as a sound": {"audio", []part{{"audio", "a.mp3", png}}, "Audio upload failed", "Only audio files are allowed"},
		"sound as a film":    {"videos", []part{{"video", "a.mp4", mediatest.Sample(mediafile.M4A)}}, "Video upload failed", "Only video files are allowed"},
		"film as a sound":    {"audio", []part{{"audio", "a.m4a", mediatest.Sample(mediafile.MP4)}}, "Audio upload failed", "Only audio files are allowed"},
		"empty":              {"images", []part{{"images", "a.png", nil}}, "Image upload failed", "Only image files are allowed"},
		"pixels":             {"images", []part{{"images", "a.png", mediatest.ClaimingPNG(50000, 50000)}}, "Image upload failed", "the picture has more than 50 million pixels; send another one"},
		"one bad of two":     {"images", []part{{"images", "a.png", png}, {"images", "b.png", svg}}, "Image upload failed", "Only image files are allowed"},
		"no sound":           {"audio", nil, "No audio file provided", "No audio file provided"},
	} {
		reply := f.upload(t, test.route, f.user, test.parts...)
		if reply.Status != http.StatusBadRequest || reply.At("error") != test.error || reply.At("message") != test.message {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	// The texts are those of the Node backend; the details tell what to do.
	for message, test := range map[string]struct {
		parts         []part
		field, detail string
	}{
		"File too large":   {[]part{{"images", "a.png", append(bytes.Clone(png), make([]byte, 10<<20)...)}}, "images", "File too large: send 10485760 bytes at the most"},
		"Too many files":   {slices.Repeat([]part{{"images", "a.png", png}}, 6), "images", "Too many files: send 5 at the most"},
		"Unexpected field": {[]part{{"pictures", "a.png", png}}, "pictures", `Unexpected field: send files in the field "images"`},
	} {
		reply := f.upload(t, "images", f.user, test.parts...)
		want := []any{map[string]any{"field": test.field, "message": test.detail}}
		if reply.Status != http.StatusBadRequest || reply.At("error") != "Image upload failed" || reply.At("message") != message {
			t.Errorf("%s: %d %s", message, reply.Status, reply.Text)
		}
		if diff := cmp.Diff(want, reply.At("details")); diff != "" {
			t.Errorf("%s: details (-want +got):\n%s", message, diff)
		}
	}
	body, contentType := form(part{"images", "a.png", png})
	for name, r := range map[string]apitest.Request{
		"cut":           {Body: body[:len(body)-60], Header: map[string]string{"Content-Type": contentType}},
		"not multipart": {Body: "{}", Header: map[string]string{"Content-Type": "application/json"}},
		"no boundary":   {Body: body, Header: map[string]string{"Content-Type": "multipart/form-data"}},
	} {
		r.Method, r.Path, r.Token = http.MethodPost, "/api/uploads/images", f.user
		if reply := f.Do(t, r); reply.Status != http.StatusBadRequest || reply.At("error") != "Image upload failed" {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	if reply := f.upload(t, "images", "", part{"images", "a.png", png}); reply.Status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", reply.Status)
	}
	if reply := f.upload(t, "images", f.user); reply.Status != http.StatusOK || reply.At("count") != 0.0 {
		t.Errorf("no pictures: %d %s", reply.Status, reply.Text)
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// TestOptimize draws a picture in another size, once.
func TestOptimize(t *testing.T) {
	t.Parallel()
	f := start(t)
	reply := f.upload(t, "images", f.user, part{"images", "a.jpg", mediatest.JPEG(400, 300)})
	files, _ := reply.At("files").([]any)
	if len(files) != 1 {
		t.Fatalf("%d %s", reply.Status, reply.Text)
	}
	file, _ := files[0].(map[string]any)
	id, _ := file["publicId"].(string)
	measure := func(address any, width, height int) {
		t.Helper()
		opened := f.Get(t, f.path(t, address), "")
		info, err := mediafile.Measure(strings.NewReader(opened.Text), int64(len(opened.Text)), mediafile.Sniff([]byte(opened.Text)))
		if opened.Status != http.StatusOK || err != nil || info.Width != width || info.Height != height {
			t.Errorf("%v: %d %+v %v, want %d by %d", address, opened.Status, info, err, width, height)
		}
	}
	measure(file["thumbnail"], 300, 200)
	for name, test := range map[string]struct {
		body          map[string]any
		width, height int
	}{
		"both":   {map[string]any{"width": 100, "height": 100}, 100, 100},
		"width":  {map[string]any{"width": "200", "quality": 60}, 200, 150},
		"height": {map[string]any{"height": 30, "quality": "auto:low"}, 40, 30},
		"none":   {map[string]any{}, 400, 300},
		"wider":  {map[string]any{"width": 4000}, 400, 300},
		"larger": {map[string]any{"width": 1000, "height": 500}, 400, 200},
	} {
		test.body["publicId"] = id
		first := f.Post(t, "/api/uploads/optimize-url", f.other, test.body)
		second := f.Post(t, "/api/uploads/optimize-url", f.other, test.body)
		if first.Status != http.StatusOK || first.At("optimizedUrl") != second.At("optimizedUrl") {
			t.Errorf("%s: %s, then %s", name, first.Text, second.Text)
			continue
		}
		measure(first.At("optimizedUrl"), test.width, test.height)
		limited := name == "wider" || name == "larger"
		if first.At("width") != float64(test.width) || first.At("height") != float64(test.height) || first.At("limited") != limited {
			t.Errorf("%s: %s", name, first.Text)
		}
	}
	reply = f.Post(t, "/api/uploads/optimize-url", f.user, map[string]any{"publicId": id, "responsive": true})
	set, _ := reply.At("responsive").([]any)
	if len(set) != 2 {
		t.Fatalf("responsive set: %s", reply.Text)
	}
	for i, width := range []int{320, 400} {
		one, _ := set[i].(map[string]any)
		measure(one["url"], width, width*3/4)
	}
	for name, body := range map[string]map[string]any{
		"width": {"publicId": id, "width": 4001}, "negative": {"publicId": id, "width": -1}, "quality": {"publicId": id, "quality": "q_100/../x"}, "no id": {},
		"operator": {"publicId": map[string]any{"$ne": ""}},
	} {
		if reply := f.Post(t, "/api/uploads/optimize-url", f.user, body); reply.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	for _, unknown := range []string{"etrainer/images/x", "../../../etc/passwd", "etrainer/images/../../x"} {
		if reply := f.Post(t, "/api/uploads/optimize-url", f.user, map[string]any{"publicId": unknown}); reply.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", unknown, reply.Status, reply.Text)
		}
	}
	for i := range 30 { // at some size the picture itself stands for it
		reply = f.Post(t, "/api/uploads/optimize-url", f.user, map[string]any{"publicId": id, "width": 10 + i})
	}
	if reply.Status != http.StatusOK || reply.At("optimizedUrl") != file["url"] || reply.At("width") != 400.0 || reply.At("limited") != true || reply.At("reason") == nil {
		t.Errorf("beyond the last size: %d %s", reply.Status, reply.Text)
	}
	if files, _ := f.left(t); files != 1+20 {
		t.Errorf("%d files, want the picture and 20 sizes", files)
	}
	if reply := f.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/api/uploads/" + id, Token: f.admin}); reply.Status != http.StatusOK {
		t.Errorf("delete by an administrator: %d %s", reply.Status, reply.Text)
	}
	if files, records := f.left(t); files != 0 || records != 0 {
		t.Errorf("%d files and %d records are left", files, records)
	}
}

// TestDelivery: conditions, ranges, and paths that try to climb.
func TestDelivery(t *testing.T) {
	t.Parallel()
	f := start(t)
	if err := os.WriteFile(filepath.Join(f.dir, "secret.txt"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	reply := f.upload(t, "audio", f.user, part{"audio", "a.wav", mediatest.WAV(1)})
	path := f.path(t, reply.At("file", "url"))
	whole := f.Get(t, path, "")
	some := f.Do(t, apitest.Request{Path: path, Header: map[string]string{"Range": "bytes=4-9"}})
	if some.Status != http.StatusPartialContent || some.Text != whole.Text[4:10] {
		t.Errorf("range: %d, %d bytes", some.Status, len(some.Text))
	}
	same := f.Do(t, apitest.Request{Path: path, Header: map[string]string{"If-None-Match": whole.Header.Get("ETag")}})
	if same.Status != http.StatusNotModified {
		t.Errorf("condition: %d", same.Status)
	}
	if head := f.Do(t, apitest.Request{Method: http.MethodHead, Path: path}); head.Status != http.StatusOK || head.Header.Get("Content-Length") != fmt.Sprint(len(whole.Text)) {
		t.Errorf("head: %d %v", head.Status, head.Header)
	}
	for _, climb := range []string{"../secret.txt", "..%2fsecret.txt", "etrainer/images/..%2f..%2f..%2fsecret.txt", "files/etrainer", "incoming/", "", "etrainer/audio", "%00", "variants/etrainer/images/m_a/..%2fx.jpg"} {
		if reply := f.Get(t, "/media/"+climb, ""); reply.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", climb, reply.Status, reply.Text)
		}
	}
}

// TestUsage is for administrators.
func TestUsage(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.upload(t, "audio", f.user, part{"audio", "a.wav", mediatest.WAV(1)})
	if reply := f.Get(t, "/api/uploads/stats/usage", f.user); reply.Status != http.StatusForbidden || reply.At("error") != "Admin access required" {
		t.Errorf("user: %d %s", reply.Status, reply.Text)
	}
	reply := f.Get(t, "/api/uploads/stats/usage", f.admin)
	if reply.Status != http.StatusOK || reply.At("usage", "objects") != 1.0 || reply.At("usage", "storage", "used") != 8044.0 {
		t.Errorf("administrator: %d %s", reply.Status, reply.Text)
	}
}
