package main

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
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
	binary := t.TempDir() + "/api"
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
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
			p := startBinary(t, binary, environment)
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

// process is an api that a test has started.
type process struct {
	url, token string
	proc       string // its folder in /proc
}

func startBinary(t *testing.T, binary string, more []string) process {
	t.Helper()
	address, err := neturl.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	address.Path = "/" + db.Name()
	log, port := &buffer{}, freePort(t)
	cmd := exec.Command(binary)
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "PORT="+port, "API_PRIVATE_PORT=0", "RATE_LIMIT_MAX_REQUESTS=0", "NODE_ENV=production", "BCRYPT_ROUNDS=4",
		"MONGODB_URI="+address.String(), "JWT_SECRET_KEY=q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "MEDIA_DIR="+t.TempDir())
	cmd.Env = append(cmd.Env, more...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := process{url: "http://" + net.JoinHostPort("127.0.0.1", port), proc: "/proc/" + strconv.Itoa(cmd.Process.Pid) + "/"}
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
