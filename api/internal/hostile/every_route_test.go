package hostile_test

import (
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// perOperation is how many requests each operation gets from one caller.
const perOperation = 40

// leaks are texts that no reply may hold: of stacks, of the database, of the
// system's files, and the secrets of the test.
var leaks = []string{
	"goroutine ", ".go:", "panic", "runtime error", "mongo.", "mongodb://", "MongoServerError", "E11000", "bson.",
	"dial tcp", "no such file", "strconv.", "json:", "/incoming/",
	"root:x:0:0", apitest.AccessSecret, apitest.RefreshSecret, "$2a$", "$2b$",
}

// TestEveryRoute sends spoiled requests to every route, from nobody, a user and
// an administrator. Nothing may fail on our side, tell what it should not, or
// stay open.
//
//nolint:paralleltest // it counts what the process has open
func TestEveryRoute(t *testing.T) {
	const seed = 20260117
	api, callers := prepare(t)
	requests := newSource(t, seed)
	requests.known = callers[0].seed(t, api)
	operations := requests.operations()
	taken := map[string]bool{}
	send := func(times int) {
		for _, o := range operations {
			for range times {
				for i := range callers {
					if attack(t, api, requests, o, &callers[i]) < http.StatusBadRequest {
						taken[o.method+" "+o.path] = true
					}
				}
			}
		}
	}
	send(2) // connections and pools are open now
	before := opened(t)
	send(perOperation)
	settled(t, before)
	for _, o := range operations {
		if name := o.method + " " + o.path; !taken[name] && o.path != "/api/auth/google" { // the Google of tests refuses everybody
			t.Errorf("%s refused everything: what it does was not tried", name)
		}
	}
	t.Logf("%d operations, %d requests", len(operations), len(operations)*perOperation*len(callers))
}

// FuzzEveryRoute is the same with seeds that nobody chose.
func FuzzEveryRoute(f *testing.F) {
	api, callers := prepare(f)
	for _, seed := range []uint64{1, 227} { // 227: arrays within arrays, which not every engine stores
		f.Add(seed)
	}
	var before open // when the first seed had opened connections and pools
	f.Fuzz(func(t *testing.T, seed uint64) {
		requests := newSource(t, seed)
		for _, o := range requests.operations() {
			for i := range callers {
				attack(t, api, requests, o, &callers[i])
			}
		}
		if before == (open{}) {
			before = opened(t)
		}
		settled(t, before)
	})
}

// week is that of the one report.
const week = "2025-07-21"

func prepare(t testing.TB) (*apitest.API, []caller) {
	t.Helper()
	db := mongotest.Database(t)
	if _, err := db.Collection(schema.WeeklyReports).InsertOne(t.Context(), bson.M{
		"_id": week, "week": week, "newUsers": 3, "examsCompleted": 4, "activeUsers": 7, "practiceCompleted": 10, "timezone": "Asia/Ho_Chi_Minh",
		"from": time.Now(), "to": time.Now(), "generatedAt": time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	api := apitest.Start(t, db, apitest.Options{})
	callers := []caller{{who: "admin", email: "admin@example.com"}, {who: "user", email: "user@example.com"}, {who: "nobody"}}
	for i := range callers {
		callers[i].login(t, api)
	}
	return api, callers
}

// caller is somebody with or without a token.
type caller struct{ who, email, token string }

func (c *caller) login(t testing.TB, api *apitest.API) {
	if c.email != "" {
		c.token = api.Token(t, c.email)
	}
}

// seed makes what requests can name.
func (c *caller) seed(t *testing.T, api *apitest.API) map[string][]string {
	t.Helper()
	// Sessions of others can be ended without a caller losing its own.
	lost := api.Login(t, "lost@example.com")
	known := map[string][]string{
		"user": {"lost@example.com", lost.At("user", "_id").(string)}, "week": {week},
		"name": {"generate weekly reports"}, "interval": {"30 9 * * *"}, "timezone": {"Asia/Ho_Chi_Minh"},
		"email": {c.email, "new@example.com"}, "password": {apitest.Password},
	}
	for range 20 {
		job := api.Post(t, "/api/system/jobs/schedule", c.token, map[string]any{"name": "generate weekly reports", "when": "in 5 minutes"})
		id, _ := job.At("job", "id").(string)
		known["id"] = append(known["id"], id)
		refresh, _ := api.Login(t, "refreshed@example.com").JSON["refreshToken"].(string)
		known["refreshToken"] = append(known["refreshToken"], refresh)
		body := "--b\r\nContent-Disposition: form-data; name=\"images\"; filename=\"a.png\"\r\n\r\n" + string(mediatest.PNG(4, 4)) + "\r\n--b--\r\n"
		stored := api.Do(t, apitest.Request{
			Method: http.MethodPost, Path: "/api/uploads/images", Token: c.token, Body: body, Header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"},
		})
		files, _ := stored.At("files").([]any)
		if len(files) != 1 {
			t.Fatalf("%d %s", stored.Status, stored.Text)
		}
		file, _ := files[0].(map[string]any)
		publicID, _ := file["publicId"].(string)
		known["publicId"], known["path"] = append(known["publicId"], publicID), append(known["path"], publicID+".png")
	}
	return known
}

func attack(t *testing.T, api *apitest.API, s *source, o operation, c *caller) (status int) {
	t.Helper()
	target, header := s.target(o)
	body, contentType := s.body(o)
	r := apitest.Request{Method: o.method, Path: target, Token: c.token, Header: header}
	if body != "" {
		r.Body = body
	}
	if contentType != "" {
		header["Content-Type"] = contentType
	}
	reply := api.Do(t, r)
	if reply.Status >= http.StatusInternalServerError {
		t.Errorf("%s %s by %s: %d %s\nbody %q", o.method, target, c.who, reply.Status, reply.Text, body)
	}
	if strings.HasPrefix(o.path, "/api/docs") || o.path == "/api/openapi.json" {
		return reply.Status // the documentation may speak of anything
	}
	for _, leak := range leaks {
		if strings.Contains(reply.Text, leak) && !strings.Contains(target+body, leak) {
			t.Errorf("%s %s by %s tells %q: %s", o.method, target, c.who, leak, reply.Text)
		}
	}
	for name := range reply.Header {
		if name == "Set-Cookie" {
			t.Errorf("%s %s by %s: a header was injected: %v", o.method, target, c.who, reply.Header)
		}
	}
	if o.path == "/api/auth/logout" && reply.Status == http.StatusOK {
		c.login(t, api)
	}
	if c.who == "admin" && reply.Status == http.StatusUnauthorized && !strings.HasPrefix(o.path, "/api/auth/") {
		t.Errorf("%s %s: the administrator is not known: %s", o.method, target, reply.Text)
	}
	return reply.Status
}

// open is what a process holds.
type open struct{ goroutines, files int }

func opened(t *testing.T) open {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("open files cannot be counted here: %v", err)
	}
	return open{runtime.NumGoroutine(), len(entries)}
}

// settled waits until no more is open than before, but for what a pool of
// connections may have grown by.
func settled(t *testing.T, before open) {
	t.Helper()
	const slack = 20
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		now := opened(t)
		if now.goroutines <= before.goroutines+slack && now.files <= before.files+slack {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("open before: %+v, after: %+v", before, now)
		}
		<-tick.C
	}
}
