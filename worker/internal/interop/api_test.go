package interop_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
)

// api is the api as a process, and the session of its administrator.
type api struct {
	t     *testing.T
	base  string
	token string
	log   bytes.Buffer // readable after the end of the process
}

// startAPI starts the api and logs in as its first user, who is administrator.
func startAPI(t *testing.T, db *mongo.Database) *api {
	t.Helper()
	program := programtest.Path(t, "api")
	mongotest.Migrate(t, db)
	port := freePort(t)
	a := &api{t: t, base: "http://127.0.0.1:" + strconv.Itoa(port)}
	// The shell ends the api when its own standard input closes: with the test,
	// however that ends.
	cmd := exec.Command("sh", "-c", `"$0" & cat >/dev/null; kill -TERM $!; wait $!`, program)
	// Only what is set here: the developer's own settings must not matter.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"PORT=" + strconv.Itoa(port), "API_PRIVATE_PORT=0",
		"MONGODB_URI=" + withDatabase(mongotest.URI(t), db.Name()),
		"JWT_SECRET_KEY=interop-tests-sign-with-these-fifty-odd-characters",
		"BCRYPT_ROUNDS=4", "RATE_LIMIT_MAX_REQUESTS=0",
	}
	cmd.Dir = t.TempDir() // no .env file
	cmd.Stdout, cmd.Stderr = &a.log, &a.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the api did not stop in good order: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the api:\n%s", a.log.String())
		}
	})
	a.login()
	return a
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func (a *api) login() {
	a.t.Helper()
	await(a.t, "the api to be ready", func() bool {
		reply, err := http.Get(a.base + "/readyz")
		if err != nil {
			return false
		}
		reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	})
	account := map[string]any{"email": "admin@example.com", "password": "interop-password", "fullName": "Inter Op"}
	a.do(http.MethodPost, "/api/auth/register", account, nil)
	var session struct {
		Token   string `json:"token"`
		IsAdmin bool   `json:"isAdmin"`
	}
	a.do(http.MethodPost, "/api/auth/login", account, &session)
	if !session.IsAdmin {
		a.t.Fatal("the first user is no administrator")
	}
	a.token = session.Token
}

// do sends a request and decodes the reply, which must be a success.
func (a *api) do(method, path string, body, reply any) {
	a.t.Helper()
	request(a.t, method, a.base+path, a.token, body, reply)
}

// schedule enqueues a job by POST /api/system/jobs/schedule.
func (a *api) schedule(body map[string]any) (id string) {
	a.t.Helper()
	body["allowUnknown"] = true // the tests' names are not in the catalog
	var reply struct {
		Job struct {
			ID string `json:"id"`
		} `json:"job"`
	}
	a.do(http.MethodPost, "/api/system/jobs/schedule", body, &reply)
	return reply.Job.ID
}

// state is the state of a job as the api shows it.
func (a *api) state(id string) string {
	a.t.Helper()
	var reply struct {
		Job struct {
			State string `json:"state"`
		} `json:"job"`
	}
	a.do(http.MethodGet, "/api/system/jobs/"+id, nil, &reply)
	return reply.Job.State
}

// request is an HTTP request with a JSON body that must succeed.
func request(t *testing.T, method, url, token string, body, reply any) {
	t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s\n%s", method, url, response.Status, text)
	}
	if reply == nil {
		return
	}
	if err := json.Unmarshal(text, reply); err != nil {
		t.Fatalf("%s %s: %v\n%s", method, url, err, text)
	}
}
