package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// google is a stand-in for Google: it answers each token in its own way.
// It accepts tokens of some clients, or of all.
func google(t *testing.T, clients ...string) auth.Option {
	t.Helper()
	hang := make(chan struct{})
	answers := map[string]struct {
		status int
		body   string
	}{
		"an":         {200, `{"sub":"1","email":"an@gmail.com","email_verified":true,"name":"An Nguyen","picture":"https://lh3.test/an"}`},
		"text":       {200, `{"email":"text@gmail.com","email_verified":"true"}`},
		"known":      {200, `{"email":"known@example.com","email_verified":true,"name":"Other"}`},
		"unverified": {200, `{"email":"victim@example.com","email_verified":false}`},
		"silent":     {200, `{"email":"victim@example.com"}`},
		"no email":   {200, `{"sub":"1","email_verified":true}`},
		"refused":    {401, `{"error":"invalid_token"}`},
		"bad":        {400, `{}`},
		"broken":     {500, `oops`},
		"limited":    {429, `{}`},
		"html":       {200, `<html>`},
	}
	issued := map[string]struct {
		status int
		body   string
	}{
		"an":         {200, `{"aud":"ours","azp":"ours","email":"an@gmail.com","expires_in":"3599"}`},
		"text":       {200, `{"aud":"android","azp":"android"}`},
		"known":      {200, `{"aud":"somebody else's","azp":"ours"}`},
		"silent":     {200, `{}`},
		"unverified": {200, `{"aud":"ours"}`},
		"refused":    {400, `{"error":"invalid_token"}`},
		"html":       {200, `<html>`},
		"broken":     {503, ``},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/tokeninfo" {
			if r.Method != http.MethodPost || r.URL.RawQuery != "" {
				t.Errorf("%s %s: the token may be in the address", r.Method, r.URL)
			}
			answer := issued[r.PostFormValue("access_token")]
			w.WriteHeader(answer.status)
			_, _ = w.Write([]byte(answer.body))
			return
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch answer, ok := answers[token]; {
		case ok:
			w.WriteHeader(answer.status)
			_, _ = w.Write([]byte(answer.body))
		case token == "redirect":
			http.Redirect(w, r, "https://thief.test/", http.StatusFound)
		case token == "cut":
			panic(http.ErrAbortHandler)
		default:
			<-hang
		}
	}))
	transport := &http.Transport{}
	t.Cleanup(func() {
		close(hang)
		transport.CloseIdleConnections()
		server.Close()
	})
	return auth.WithGoogle(auth.NewGoogle(auth.GoogleOptions{
		UserInfo: server.URL + "/oauth2/v3/userinfo", TokenInfo: server.URL + "/tokeninfo", ClientIDs: clients, Transport: transport,
	}))
}

func TestGoogleLogin(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{Auth: []auth.Option{google(t)}})
	login := func(token string) apitest.Reply {
		t.Helper()
		return api.Post(t, "/api/auth/google", "", map[string]any{"token": token})
	}
	first := login("an")
	if first.Status != 200 || len(first.JSON) != 2 || first.JSON["token"] == nil || first.JSON["refreshToken"] == nil {
		t.Fatalf("%d %s", first.Status, first.Text)
	}
	var stored bson.M
	if err := db.Collection(authmongo.UsersCollection).FindOne(t.Context(), bson.M{"email": "an@gmail.com"}).Decode(&stored); err != nil {
		t.Fatal(err)
	}
	if _, there := stored["password"]; there || stored["registrationMethod"] != "GOOGLE" || stored["avatarUrl"] != "https://lh3.test/an" ||
		stored["name"] != "An Nguyen" || stored["role"] != "ADMIN" {
		t.Errorf("stored %v", stored)
	}
	if reply := api.Get(t, "/api/system/jobs", first.JSON["token"].(string)); reply.Status != 200 {
		t.Errorf("the first account is no administrator: %d", reply.Status)
	}
	if reply := login("text"); reply.Status != 200 {
		t.Errorf("email_verified as text: %d %s", reply.Status, reply.Text)
	}
	api.Login(t, "known@example.com")
	if reply := login("known"); reply.Status != 200 {
		t.Errorf("an account that has a password: %d %s", reply.Status, reply.Text)
	}
	if n, err := db.Collection(authmongo.UsersCollection).CountDocuments(t.Context(), bson.M{}); n != 3 || err != nil {
		t.Errorf("%d accounts, %v, want 3", n, err)
	}
	for _, password := range []string{"secret1", "x"} {
		reply := api.Post(t, "/api/auth/login", "", map[string]any{"email": "an@gmail.com", "password": password})
		if reply.Status != 401 || reply.JSON["error"] != "Invalid credentials" {
			t.Errorf("a password for an account without one: %d %s", reply.Status, reply.Text)
		}
	}
}

func TestGoogleFailures(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{Auth: []auth.Option{google(t)}})
	const refused, away = "Google token refused", "Google is not available"
	for token, want := range map[string]struct {
		status int
		error  string
	}{
		"unverified": {400, refused}, "silent": {400, refused}, "no email": {400, refused}, "refused": {400, refused}, "bad": {400, refused},
		"broken": {502, away}, "limited": {502, away}, "html": {502, away}, "redirect": {502, away}, "cut": {502, away}, "hangs": {502, away},
		"": {400, "Google token is required"}, "two\r\nlines: 1": {400, refused},
	} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			reply := api.Post(t, "/api/auth/google", "", map[string]any{"token": token})
			if reply.Status != want.status || reply.JSON["error"] != want.error || reply.JSON["message"] == "" {
				t.Errorf("%d %s", reply.Status, reply.Text)
			}
			if strings.Contains(reply.Text, "goroutine") || token != "" && strings.Contains(reply.Text, "Bearer") {
				t.Errorf("the answer tells too much: %s", reply.Text)
			}
		})
	}
	for name, body := range map[string]string{"nothing": `{}`, "null": `{"token":null}`} {
		if reply := api.Post(t, "/api/auth/google", "", body); reply.Status != 400 || reply.JSON["error"] != "Google token is required" {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	if reply := api.Post(t, "/api/auth/google", "", map[string]any{"token": strings.Repeat("x", 5000)}); reply.Status != 400 || reply.JSON["error"] != refused {
		t.Errorf("a token that is longer than Google's: %d %s", reply.Status, reply.Text)
	}
	if reply := api.Post(t, "/api/auth/google", "", `{"token":{"$ne":null}}`); reply.Status != 400 {
		t.Errorf("an operator: %d %s", reply.Status, reply.Text)
	}
}

// TestGoogleClients accepts the tokens of two clients alone.
func TestGoogleClients(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Auth: []auth.Option{google(t, "ours", "android")}})
	const other = "this Google token was issued to another application: log in with Google in this one"
	for token, want := range map[string]struct {
		status  int
		message string // "" = any
	}{
		"an": {200, ""}, "text": {200, ""}, "known": {400, other}, "silent": {400, other}, "unverified": {400, ""},
		"refused": {400, ""}, "html": {502, ""}, "broken": {502, ""},
	} {
		reply := api.Post(t, "/api/auth/google", "", map[string]any{"token": token})
		if message := text(reply.JSON["message"]); reply.Status != want.status || want.message != "" && message != want.message {
			t.Errorf("%s: %d %s, want %d", token, reply.Status, reply.Text, want.status)
		}
	}
}

// TestGoogleTwice logs one new person in several times at once.
func TestGoogleTwice(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{Auth: []auth.Option{google(t)}})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if reply := api.Post(t, "/api/auth/google", "", `{"token":"an"}`); reply.Status != 200 {
				t.Errorf("%d %s", reply.Status, reply.Text)
			}
		})
	}
	all.Wait()
	if n, err := db.Collection(authmongo.UsersCollection).CountDocuments(t.Context(), bson.M{}); n != 1 || err != nil {
		t.Errorf("%d accounts, %v, want 1", n, err)
	}
}
