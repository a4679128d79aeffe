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
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
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
	Well    Mood = iota
	Failing      // 500, as a proxy's page
	Limited      // 429 with Retry-After: 7
	Cutting      // the connection ends without an answer
	Mute         // no answer until the client gives up
	Late         // uploads are stored and then not answered; all else is well
)

// Cloud is a stand-in for Cloudinary: it verifies signatures and credentials,
// and can be ill.
type Cloud struct {
	*httptest.Server

	mu     sync.Mutex
	mood   Mood
	count  int
	held   int
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
	c.mu.Unlock()
	switch mood {
	case Failing:
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
		c.post(w, r, path)
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

func (c *Cloud) post(w http.ResponseWriter, r *http.Request, path string) {
	resource, action, _ := strings.Cut(path, "/")
	fields, size, err := read(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "Broken body")
		return
	}
	if fields.Get("api_key") != APIKey || fields.Get("signature") != sign(fields) {
		refuse(w, http.StatusUnauthorized, "Invalid Signature")
		return
	}
	if c.act(w, r, resource, action, fields, size) {
		<-r.Context().Done()
	}
}

// act answers, or returns that nobody shall be answered.
func (c *Cloud) act(w http.ResponseWriter, r *http.Request, resource, action string, fields url.Values, size int64) (hold bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := fields.Get("public_id")
	key := resource + "/" + id
	switch action {
	case "upload":
		if c.mood == Late {
			c.held++
			c.upload(httptest.NewRecorder(), r, resource, id, size)
			return true
		}
		c.upload(w, r, resource, id, size)
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

// read returns the fields of a body, and how many bytes its file had.
func read(r *http.Request) (url.Values, int64, error) {
	reader, err := r.MultipartReader()
	if err != nil { // the SDK sends other forms without a type
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, 0, err
		}
		fields, err := url.ParseQuery(string(text))
		return fields, 0, err
	}
	fields, size := url.Values{}, int64(0)
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return fields, size, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if part.FormName() == "file" {
			if size, err = io.Copy(io.Discard, part); err != nil {
				return nil, 0, err
			}
			continue
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, 0, err
		}
		fields.Set(part.FormName(), string(text))
	}
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
