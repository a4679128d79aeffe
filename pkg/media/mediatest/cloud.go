package mediatest

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/mediafile"
)

// The account of a Cloud.
const (
	CloudName = "demo"
	APIKey    = "123456789012345"
	APISecret = "a-secret-of-the-stand-in"
)

// Mood is how a Cloud treats requests.
type Mood int

// The moods.
const (
	Well        Mood = iota
	Failing          // 500, as a proxy's page
	Limited          // 429 with Retry-After: 7
	Cutting          // the connection ends without an answer
	Mute             // no answer until the client gives up
	Late             // uploads are stored and then not answered; all else is well
	FailingOnce      // the next request fails, and then all is well
	Refusing         // uploads are refused: the file is no picture
	Slow             // uploads are answered SlowFor after they came; all else is well
	Losing           // Slow, and every other connection that only asks is lost
)

// SlowFor is far longer than an upload stands still in tests before somebody
// asks what is the matter.
const SlowFor = 1200 * time.Millisecond

// Refusal is what Cloudinary says of a file that it refuses.
const Refusal = "Invalid image file"

// Cloud is a stand-in for Cloudinary: it verifies signatures and credentials,
// and can be ill.
type Cloud struct {
	*httptest.Server

	mu     sync.Mutex
	mood   Mood
	count  int
	held   int
	asked  int // questions without a path
	assets map[string]map[string]any
	chunks map[string]int64
}

// NewCloud runs a Cloud until the test ends.
func NewCloud(t testing.TB) *Cloud {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return NewCloudAt(t, listener)
}

// NewCloudAt is NewCloud on a listener.
func NewCloudAt(t testing.TB, listener net.Listener) *Cloud {
	t.Helper()
	c := &Cloud{assets: map[string]map[string]any{}, chunks: map[string]int64{}}
	c.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}}
	c.Start()
	t.Cleanup(c.Close)
	return c
}

// Be sets the mood.
func (c *Cloud) Be(mood Mood) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mood = mood
}

// Requests is how many came in.
func (c *Cloud) Requests() int { c.mu.Lock(); defer c.mu.Unlock(); return c.count }

// Held is how many uploads are stored and wait for an answer that never comes.
func (c *Cloud) Held() int { c.mu.Lock(); defer c.mu.Unlock(); return c.held }

// Assets is how many files are stored.
func (c *Cloud) Assets() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.assets) }

// ServeHTTP implements http.Handler.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.count++
	mood := c.mood
	if mood == FailingOnce {
		c.mood = Well
	}
	lost := false
	if r.URL.Path == "/" {
		c.asked++
		lost = mood == Losing && c.asked%2 == 1
	}
	c.mu.Unlock()
	if lost {
		<-r.Context().Done()
		return
	}
	switch mood {
	case Failing, FailingOnce:
		http.Error(w, "<html>Bad gateway</html>", http.StatusBadGateway)
		return
	case Limited:
		w.Header().Set("Retry-After", "7")
		refuse(w, http.StatusTooManyRequests, "Rate Limit Exceeded")
		return
	case Cutting:
		panic(http.ErrAbortHandler)
	case Mute:
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	}
	path, found := strings.CutPrefix(r.URL.Path, "/v1_1/"+CloudName+"/")
	if !found {
		refuse(w, http.StatusUnauthorized, "Invalid cloud_name")
		return
	}
	if r.Method == http.MethodPost {
		c.post(w, r, path, mood)
		return
	}
	if user, password, _ := r.BasicAuth(); user != APIKey || password != APISecret {
		refuse(w, http.StatusUnauthorized, "unknown api_key")
		return
	}
	c.get(w, r, path)
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	answer(w, map[string]any{"error": map[string]any{"message": message}})
}

func answer(w io.Writer, value any) {
	_ = json.NewEncoder(w).Encode(value) //nolint:errchkjson // the client has gone
}

func (c *Cloud) post(w http.ResponseWriter, r *http.Request, rest string, mood Mood) {
	resource, action, _ := strings.Cut(rest, "/")
	fields, format, size, err := read(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "Broken body")
		return
	}
	if mood == Slow || mood == Losing {
		select {
		case <-time.After(SlowFor):
		case <-r.Context().Done():
			return
		}
	}
	if fields.Get("api_key") != APIKey || fields.Get("signature") != sign(fields) {
		refuse(w, http.StatusUnauthorized, "Invalid Signature")
		return
	}
	if action == "upload" && !allowed(fields.Get("allowed_formats"), format, r.Header.Get("Content-Range")) {
		refuse(w, http.StatusBadRequest, "Image file format "+string(format)+" not allowed")
		return
	}
	if folder := path.Dir(fields.Get("public_id")); action == "upload" && (fields.Get("asset_folder") != folder || fields.Get("use_asset_folder_as_public_id_prefix") != "false") {
		refuse(w, http.StatusBadRequest, "Another folder than "+folder)
		return
	}
	if c.act(w, r, resource, action, fields, size) {
		_, _ = io.Copy(io.Discard, r.Body) // what is after the form: before its end nobody notices that the client leaves
		<-r.Context().Done()
	}
}

// allowed reports whether a file may be of a format. Of a piece only the first
// shows that, and what begins like a film may be a sound.
func allowed(formats string, format mediafile.Format, piece string) bool {
	if piece != "" && !strings.HasPrefix(piece, "bytes 0-") {
		return formats != ""
	}
	list := strings.Split(formats, ",")
	return slices.Contains(list, string(format)) || format == mediafile.MP4 && slices.Contains(list, string(mediafile.M4A))
}

// act answers, or returns that nobody shall be answered.
func (c *Cloud) act(w http.ResponseWriter, r *http.Request, resource, action string, fields url.Values, size int64) (hold bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := fields.Get("public_id")
	key := resource + "/" + id
	switch action {
	case "upload":
		switch c.mood {
		case Refusing:
			refuse(w, http.StatusBadRequest, Refusal)
		case Late:
			c.held++
			c.upload(httptest.NewRecorder(), r, resource, id, size)
			return true
		default:
			c.upload(w, r, resource, id, size)
		}
	case "destroy":
		if _, found := c.assets[key]; !found || fields.Get("invalidate") != "true" {
			answer(w, map[string]any{"result": "not found"})
			return false
		}
		delete(c.assets, key)
		answer(w, map[string]any{"result": "ok"})
	default:
		refuse(w, http.StatusNotFound, "Unknown action")
	}
	return false
}

// upload stores a file, or a piece of one.
func (c *Cloud) upload(w http.ResponseWriter, r *http.Request, resource, id string, size int64) {
	var from, to, total int64
	if n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total); n == 3 {
		upload := r.Header.Get("X-Unique-Upload-Id")
		if c.chunks[upload] != from || size != to-from+1 {
			refuse(w, http.StatusBadRequest, "Wrong piece")
			return
		}
		c.chunks[upload] += size
		if size = total; to+1 < total {
			answer(w, map[string]any{"done": false, "public_id": id})
			return
		}
	}
	asset := map[string]any{
		"public_id": id, "resource_type": resource, "bytes": size, "created_at": time.Now().UTC().Format(time.RFC3339),
		"secure_url": "https://res.cloudinary.com/" + CloudName + "/" + resource + "/upload/v1/" + id, "type": "upload",
	}
	c.assets[resource+"/"+id] = asset
	answer(w, asset)
}

// read returns the fields of a body, and the format and size of its file, or of
// a piece of it.
func read(r *http.Request) (fields url.Values, format mediafile.Format, size int64, err error) {
	reader, err := r.MultipartReader()
	if err != nil { // the SDK sends other forms without a type
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, "", 0, err
		}
		fields, err := url.ParseQuery(string(text))
		return fields, "", 0, err
	}
	fields = url.Values{}
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return fields, format, size, nil
		}
		if err != nil {
			return nil, "", 0, err
		}
		if part.FormName() == "file" {
			if format, size, err = look(part); err != nil {
				return nil, "", 0, err
			}
			continue
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, "", 0, err
		}
		fields.Set(part.FormName(), string(text))
	}
}

func look(file io.Reader) (mediafile.Format, int64, error) {
	head := make([]byte, mediafile.HeadSize)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	rest, err := io.Copy(io.Discard, file)
	return mediafile.Sniff(head[:n]), int64(n) + rest, err
}

// sign is Cloudinary's signature of version 2: ampersands in values are
// escaped.
func sign(fields url.Values) string {
	var pairs []string
	for name := range fields {
		switch name {
		case "file", "cloud_name", "resource_type", "api_key", "signature":
		default:
			pairs = append(pairs, name+"="+strings.ReplaceAll(fields.Get(name), "&", "%26"))
		}
	}
	sort.Strings(pairs)
	sum := sha1.Sum([]byte(strings.Join(pairs, "&") + APISecret))
	return hex.EncodeToString(sum[:])
}

func (c *Cloud) get(w http.ResponseWriter, r *http.Request, path string) {
	w.Header().Set("X-FeatureRateLimit-Limit", "500")
	w.Header().Set("X-FeatureRateLimit-Remaining", "499")
	w.Header().Set("X-FeatureRateLimit-Reset", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case path == "ping":
		answer(w, map[string]any{"status": "ok"})
	case path == "usage":
		answer(w, map[string]any{
			"plan": "Free", "objects": map[string]any{"usage": 7}, "requests": 11, "transformations": map[string]any{"usage": 3, "credits_usage": 0.01},
			"bandwidth": map[string]any{"usage": 2048, "credits_usage": 0.1}, "storage": map[string]any{"usage": 1024, "credits_usage": 0.1},
			"credits": map[string]any{"usage": 0.2, "limit": 25, "used_percent": 0.8},
		})
	default:
		c.resources(w, r, strings.TrimPrefix(path, "resources/"))
	}
}

func (c *Cloud) resources(w http.ResponseWriter, r *http.Request, path string) {
	resource, rest, _ := strings.Cut(path, "/")
	if id, one := strings.CutPrefix(rest, "upload/"); one {
		if asset, found := c.assets[resource+"/"+id]; found {
			answer(w, asset)
			return
		}
		refuse(w, http.StatusNotFound, "Resource not found - "+id)
		return
	}
	found := []any{}
	for key, asset := range c.assets {
		if strings.HasPrefix(key, resource+"/"+r.URL.Query().Get("prefix")) {
			found = append(found, asset)
		}
	}
	answer(w, map[string]any{"resources": found})
}
