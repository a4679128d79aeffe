package edge_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// edge is an nginx and the apis behind it.
type edge struct {
	*edgetest.Nginx
	t    *testing.T
	apis []*api

	media, database, redis string
}

// api is one process of the api.
type api struct {
	*edgetest.Process
	address string
}

// start runs an nginx in front of n apis. settings are variables of
// nginx/render.
func start(t *testing.T, n int, settings ...string) *edge {
	t.Helper()
	edgetest.NeedsNginx(t)
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	e := &edge{t: t, media: t.TempDir(), database: databaseURI(t, db.Name()), redis: mongotest.RedisURL(t)}
	for range n {
		e.addAPI()
	}
	e.Nginx = edgetest.Start(t, e.addresses(), settings...)
	return e
}

func (e *edge) addresses() []string {
	var addresses []string
	for _, api := range e.apis {
		addresses = append(addresses, api.address)
	}
	return addresses
}

// databaseURI is the address of one database of the server.
func databaseURI(t *testing.T, name string) string {
	t.Helper()
	address, err := url.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	address.Path = "/" + name
	return address.String()
}

// addAPI starts one more api, and waits until it is ready.
func (e *edge) addAPI() {
	e.t.Helper()
	port := edgetest.FreePort(e.t)
	cmd := exec.Command(programtest.Path(e.t, "api"))
	cmd.Env = append(os.Environ(), "PORT="+port, "API_PRIVATE_PORT=0", "MONGODB_URI="+e.database, "REDIS_URL="+e.redis,
		"NODE_ENV=production", "LOG_LEVEL=error", "JWT_SECRET_KEY=q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "BCRYPT_ROUNDS=4",
		"TRUSTED_PROXIES=127.0.0.1", "RATE_LIMIT_MAX_REQUESTS=0", "AUTH_RATE_LIMIT_MAX=0", "MEDIA_DIR="+e.media)
	added := &api{Process: edgetest.Run(e.t, cmd), address: "127.0.0.1:" + port}
	e.apis = append(e.apis, added)
	edgetest.Until(e.t, "an api is ready", func() bool {
		reply, err := http.Get("http://" + added.address + "/readyz")
		if err != nil {
			return false
		}
		_ = reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	})
}

// fetch returns a reply with its body.
func (e *edge) fetch(client *http.Client, request *http.Request) (*http.Response, map[string]any, string) {
	e.t.Helper()
	reply, err := client.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	if reply.StatusCode != http.StatusServiceUnavailable { // of nginx itself, where nobody answers
		openapitest.CheckReply(e.t, request, reply, text)
	}
	var body map[string]any
	_ = json.Unmarshal(text, &body)
	return reply, body, string(text)
}

func (e *edge) request(method, path string, body io.Reader) *http.Request {
	e.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, e.URL+path, body)
	if err != nil {
		e.t.Fatal(err)
	}
	return request
}
