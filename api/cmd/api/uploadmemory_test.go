package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
)

const (
	greatestFilm = 100 << 20
	// room is how much more memory a great upload may need than a small one.
	room = 20 << 20
)

// TestMemoryOfUploads: a film of 100 MiB passes through the program as it is
// built for users, and its resident memory hardly moves.
func TestMemoryOfUploads(t *testing.T) {
	t.Parallel()
	for name, cloudinary := range map[string]bool{"local disk": false, "Cloudinary": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var environment []string
			if cloudinary {
				environment = []string{
					"CLOUDINARY_CLOUD_NAME=" + mediatest.CloudName, "CLOUDINARY_API_KEY=" + mediatest.APIKey,
					"CLOUDINARY_API_SECRET=" + mediatest.APISecret, "CLOUDINARY_UPLOAD_PREFIX=" + mediatest.NewCloud(t).URL,
				}
			}
			p := startBinary(t, environment...)
			for range 2 { // connections, buffers and the heap have found their size
				p.uploadFilm(t, 1<<20)
			}
			before := p.memory(t, "VmRSS:")
			if err := os.WriteFile(p.proc+"clear_refs", []byte("5"), 0); err != nil { // forgets the peak
				t.Fatal(err)
			}
			p.uploadFilm(t, greatestFilm)
			peak := p.memory(t, "VmHWM:")
			t.Logf("resident before %.1f MiB, at the most %.1f MiB", float64(before)/(1<<20), float64(peak)/(1<<20))
			if peak-before > room {
				t.Errorf("resident memory grew from %d to %d bytes", before, peak)
			}
		})
	}
}

// TestMemoryOfPictures: the pictures that need the most to be drawn, and one
// that needs more, stay below what the container of the api has, as it is set in
// compose.yaml.
func TestMemoryOfPictures(t *testing.T) {
	t.Parallel()
	p := startBinary(t, "GOMEMLIMIT=200MiB")
	for _, size := range [][2]int{{8192, 4096}, {5600, 3400}} {
		id := p.uploadPicture(t, mediatest.Turned(mediatest.FlatJPEG(size[0], size[1]), 6))
		for _, asked := range []string{`"width":4000,"height":4000`, `"width":3000,"height":3000`, `"width":2000`} {
			body := `{"publicId":"` + id + `",` + asked + `}`
			if reply := p.post(t, "/api/uploads/optimize-url", "application/json", strings.NewReader(body), int64(len(body))); reply["optimizedUrl"] == nil {
				t.Errorf("%v, %s: %v", size, asked, reply)
			}
		}
	}
	peak := p.memory(t, "VmHWM:")
	t.Logf("resident at the most %.1f MiB", float64(peak)/(1<<20))
	if peak > 256<<20 {
		t.Errorf("resident memory grew to %d bytes", peak)
	}
}

// uploadPicture sends a picture, and returns its public id.
func (p process) uploadPicture(t *testing.T, content []byte) string {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("images", "a.jpg")
	if err == nil {
		_, err = file.Write(content)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		t.Fatal(err)
	}
	reply := p.post(t, "/api/uploads/images", form.FormDataContentType(), &body, int64(body.Len()))
	files, _ := reply["files"].([]any)
	if len(files) != 1 {
		t.Fatalf("the upload of a picture: %v", reply)
	}
	id, _ := files[0].(map[string]any)["publicId"].(string)
	return id
}

// process is an api that a test has started.
type process struct {
	url, token string
	proc       string // its folder in /proc
	kill       func() // ends it at once
}

func startBinary(t *testing.T, more ...string) process {
	t.Helper()
	address, err := neturl.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	address.Path = "/" + db.Name()
	log, port := &buffer{}, freePort(t)
	cmd := exec.Command(programtest.Path(t, "api"))
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "PORT="+port, "API_PRIVATE_PORT=0", "RATE_LIMIT_MAX_REQUESTS=0", "NODE_ENV=production", "BCRYPT_ROUNDS=4",
		"MONGODB_URI="+address.String(), "JWT_SECRET_KEY=q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "MEDIA_DIR="+t.TempDir())
	cmd.Env = append(cmd.Env, more...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(kill)
	p := process{url: "http://" + net.JoinHostPort("127.0.0.1", port), proc: "/proc/" + strconv.Itoa(cmd.Process.Pid) + "/", kill: kill}
	edgetest.Until(t, "the api is ready", func() bool {
		reply, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		_ = reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	})
	account := `{"name":"Ann","email":"ann@example.com","password":"correct horse"}`
	p.post(t, "/api/auth/register", "application/json", strings.NewReader(account), int64(len(account)))
	reply := p.post(t, "/api/auth/login", "application/json", strings.NewReader(account), int64(len(account)))
	if p.token, _ = reply["token"].(string); p.token == "" {
		t.Fatalf("no login: %v\n%s", reply, log)
	}
	return p
}

// memory is a line of the process's status, in bytes.
func (p process) memory(t *testing.T, field string) int64 {
	t.Helper()
	text, err := os.ReadFile(p.proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, field); found {
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("no %s in %s", field, text)
	return 0
}

// uploadFilm sends a film of a size, and checks that it arrived.
func (p process) uploadFilm(t *testing.T, size int) {
	t.Helper()
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	if _, err := form.CreateFormFile("video", "a.mp4"); err != nil {
		t.Fatal(err)
	}
	begin := mediatest.FileType()
	end := mediatest.Moov("vide")
	filling := size - len(begin) - len(end)
	head.Write(begin)
	head.Write(mediatest.Filling(0, filling))
	tail := string(end) + "\r\n--" + form.Boundary() + "--\r\n"
	length := int64(head.Len()) + int64(filling-8) + int64(len(tail))
	body := io.MultiReader(&head, io.LimitReader(zeros{}, int64(filling-8)), strings.NewReader(tail))
	reply := p.post(t, "/api/uploads/videos", form.FormDataContentType(), body, length)
	file, _ := reply["file"].(map[string]any)
	if file["size"] != float64(size) || file["duration"] != 4.5 {
		t.Fatalf("the upload of %d bytes: %v", size, reply)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func (p process) post(t *testing.T, path, contentType string, body io.Reader, length int64) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = length
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := (&http.Client{Timeout: 2 * time.Minute}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var reply map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&reply); err != nil {
		t.Fatal(err)
	}
	return reply
}
