// Package apitest runs the api for tests: the real routes on a real database.
// Tests alone import it.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/api/internal/health"
	"github.com/etrainer/backend/api/internal/jobs"
	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/api/internal/leaderboard/leaderboardmongo"
	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/api/internal/reports"
	"github.com/etrainer/backend/api/internal/reports/reportsmongo"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/api/internal/system"
	"github.com/etrainer/backend/api/internal/uploads"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediamongo"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/wake"
)

// The secrets that tokens are signed with.
const (
	AccessSecret  = "an access secret of at least 32 bytes"
	RefreshSecret = "a refresh secret of at least 32 bytes"
)

// BodyLimit is the greatest body that the api takes.
const BodyLimit = 10 << 20

// Options are the optional parts of an API.
type Options struct {
	// Now is the clock. nil = time.Now.
	Now func() time.Time
	// Waker receives wake-ups. nil = nobody does.
	Waker wake.Publisher
	// Log receives the log. nil = nothing is logged.
	Log *slog.Logger
	// AccessLog receives a line for each request. nil = none is written.
	AccessLog *zap.Logger
	// MediaDir is the folder of uploaded files. "" = one of the test's own.
	MediaDir string
	// Media keeps new uploads. nil = the folder does.
	Media media.Store
	// Uploads changes the options of uploads. nil = they stay.
	Uploads func(*uploads.Options)
	// OneSecret signs refresh tokens with AccessSecret, as the Node backend does
	// without JWT_REFRESH_SECRET.
	OneSecret bool
	// SessionLifetime is how long a session lasts at most. 0 = for ever.
	SessionLifetime time.Duration
	// PasswordCost is the bcrypt cost of new passwords. 0 = the least.
	PasswordCost int
	// Users stands between the service and the stored accounts. nil = nothing does.
	Users func(stored auth.Users) auth.Users
	// Limits are how often a client may ask. None by default.
	Limits middleware.Limits
	// Counted makes the counts of jobs come from the cache, as in the program.
	Counted bool
	// Routing changes the options of the routes. nil = they stay.
	Routing func(*server.RouteOptions)
	// Auth are optional parts of the accounts.
	Auth []auth.Option
}

// API is one instance of the api. Several on one database are replicas.
type API struct {
	URL      string
	Handler  http.Handler // what answers at URL
	Store    *mongoqueue.Store
	Registry *mongofleet.Registry
	Accounts *auth.Service
	client   *http.Client
}

// Start runs an instance on a database until the test ends.
func Start(t testing.TB, db *mongo.Database, o Options) *API {
	t.Helper()
	handler, store, registry, accounts := build(t, db, o)
	listener := httptest.NewServer(handler)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		listener.Close()
	})
	return &API{URL: listener.URL, Handler: handler, Store: store, Registry: registry, Accounts: accounts, client: &http.Client{Transport: transport}}
}

func build(t testing.TB, db *mongo.Database, o Options) (http.Handler, *mongoqueue.Store, *mongofleet.Registry, *auth.Service) {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Waker == nil {
		o.Waker = wake.Silent{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	zone, err := schedule.ParseZone(catalog.DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	store := mongoqueue.New(db, mongoqueue.Options{Name: "apitest", Now: o.Now, Zone: zone})
	registry := mongofleet.New(db, o.Now)
	definitions := catalog.ETrainer("")
	producer := queue.NewClient(store, definitions, o.Waker, queue.ClientOptions{
		OtherNames: jobs.NewWorkerNames(registry, o.Now).Names, Zone: zone, Log: o.Log,
	})
	accounts := authmongo.New(db, o.Now, o.Log)
	secrets := auth.TokenOptions{AccessSecret: []byte(AccessSecret), AccessLifetime: time.Hour, RefreshLifetime: 7 * 24 * time.Hour, SessionLifetime: o.SessionLifetime, Now: o.Now}
	if !o.OneSecret {
		secrets.RefreshSecret = []byte(RefreshSecret)
	}
	var users auth.Users = accounts
	if o.Users != nil {
		users = o.Users(accounts)
	}
	service, err := auth.NewService(users, accounts, auth.NewTokens(secrets), auth.NewPasswords(max(o.PasswordCost, bcrypt.MinCost)),
		append([]auth.Option{auth.WithGoogle(auth.NewGoogle(auth.GoogleOptions{UserInfo: "http://google.test", Transport: noGoogle{}})), auth.WithClock(o.Now)}, o.Auth...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Stop(context.Background()); err != nil {
			t.Errorf("stop the accounts: %v", err)
		}
	})
	memory, err := cache.NewMemory(cache.MemoryOptions{Now: o.Now})
	if err != nil {
		t.Fatalf("cache: %v", err)
	}
	handler := jobs.NewHandler(producer, store, counts(t, o, memory), registry, definitions, zone)
	records := mediamongo.New(db)
	if o.MediaDir == "" {
		o.MediaDir = t.TempDir()
	}
	disk, err := localdisk.Open(o.MediaDir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	files := uploads.Options{
		Store: disk, Files: disk, Records: records, Limits: MediaLimits(), Incoming: disk.Incoming(), Now: o.Now, Log: o.Log,
	}
	if o.Media != nil {
		files.Store, files.Others = o.Media, []media.Store{disk}
	}
	if o.Uploads != nil {
		o.Uploads(&files)
	}
	probes := health.NewHandler(health.Parts{
		Database: pinger{db}, DatabaseName: db.Name(), Target: pinger{db}.Target(),
		Storage: files.Store, Jobs: handler.Health, Draining: func() bool { return false }, Now: o.Now, StartedAt: o.Now(), Log: o.Log,
	})
	for _, prepare := range []func(context.Context) error{store.Prepare, accounts.Prepare, records.Prepare} {
		if err := prepare(t.Context()); err != nil {
			t.Fatalf("prepare: %v", err)
		}
	}
	board := leaderboard.New(leaderboard.Options{
		Store: leaderboardmongo.New(db, db, mongotest.Capabilities(t).AggregationAvg), Cache: memory, TTL: BoardTTL, Now: o.Now, Log: o.Log,
	})
	if err := board.Start(t.Context()); err != nil {
		t.Fatalf("leaderboard: %v", err)
	}
	t.Cleanup(func() {
		if err := board.Stop(context.Background()); err != nil {
			t.Errorf("stop the leaderboard: %v", err)
		}
	})
	state := system.NewHandler(system.Parts{
		Database: pinger{db}, Alive: probes.Alive, Cache: memory, Board: board, Fleet: registry, Instance: Instance,
		Environment: "test", Now: o.Now, StartedAt: time.Now(), Log: o.Log,
	})
	routing := RouteOptions(o.Log)
	routing.AccessLog = o.AccessLog
	routing.Limits = o.Limits
	if o.Routing != nil {
		o.Routing(&routing)
	}
	routes, err := server.Routes(routing, probes, service, handler, state, uploads.NewHandler(files), reports.NewHandler(reportsmongo.New(db)))
	if err != nil {
		t.Fatalf("routes: %v", err)
	}
	return routes, store, registry, service
}

// counts remembers the counts of jobs where the options say so.
func counts(t testing.TB, o Options, memory *cache.Memory) *cache.Through[queue.Counts] {
	t.Helper()
	if !o.Counted {
		return nil
	}
	remembered := cache.NewThrough[queue.Counts](memory, jobs.CountPolicy, o.Now, o.Log)
	t.Cleanup(func() {
		if err := remembered.Stop(context.Background()); err != nil {
			t.Errorf("stop counting: %v", err)
		}
	})
	return remembered
}

// MediaLimits are the greatest uploads, those of the defaults.
func MediaLimits() map[media.Kind]int64 {
	return map[media.Kind]int64{media.Image: 10 << 20, media.Audio: 50 << 20, media.Video: 100 << 20, media.Document: 20 << 20}
}

// RouteOptions are the options of the routes of an API.
func RouteOptions(log *slog.Logger) server.RouteOptions {
	return server.RouteOptions{Options: middleware.Options{
		Log: log, Now: time.Now, Origins: []string{"https://app.test"},
		BodyLimit: BodyLimit, Timeout: server.RequestTimeout,
	}}
}

// BoardTTL is how long the leaderboard of an API is taken for new, and Instance
// its id in the fleet.
const (
	BoardTTL = 5 * time.Minute
	Instance = "api@test"
)

// noGoogle refuses every token, as Google does.
type noGoogle struct{}

func (noGoogle) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{Status: "401 Unauthorized", StatusCode: http.StatusUnauthorized, Body: http.NoBody, Request: r}, nil
}

// pinger is the connection, as far as tests need it.
type pinger struct{ db *mongo.Database }

func (p pinger) Name() string { return p.db.Name() }

func (pinger) Target() mongodb.Target {
	return mongodb.Target{Name: "MONGODB_URI", Host: "db.test:27018"}
}

func (pinger) Capabilities() mongodb.Capabilities {
	return mongodb.Capabilities{Engine: mongodb.EngineFerretDB, Version: "1", Topology: mongodb.TopologyStandalone}
}

func (pinger) PoolStats() mongodb.PoolStats { return mongodb.PoolStats{} }

func (p pinger) Ping(ctx context.Context) error { return p.db.Client().Ping(ctx, nil) }

// Request is one request to the api.
type Request struct {
	Method string // "" = GET
	Path   string
	Token  string // "" = none
	// Body is sent as JSON: text as it is, all else encoded. nil = no body.
	Body   any
	Header map[string]string
}

// Reply is the answer to a Request.
type Reply struct {
	Status int
	Header http.Header
	Text   string
	// JSON is the body if it is a JSON object.
	JSON map[string]any
}

// Do sends a request, and holds it and the reply against the OpenAPI document.
func (a *API) Do(t testing.TB, r Request) Reply {
	t.Helper()
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	body := encode(t, r.Body)
	request, err := http.NewRequestWithContext(t.Context(), method, a.URL+r.Path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	answer, err := a.client.Do(request)
	if err != nil {
		t.Errorf("%s %s: %v", method, r.Path, err)
		return Reply{}
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, r.Path, err)
	}
	openapitest.Check(t, openapitest.Exchange{
		Method: method, Path: r.Path, RequestType: request.Header.Get("Content-Type"), Request: body,
		Status: answer.StatusCode, Header: answer.Header, Reply: text,
	})
	reply := Reply{Status: answer.StatusCode, Header: answer.Header, Text: string(text)}
	if strings.HasPrefix(reply.Text, "{") {
		if err := json.Unmarshal(text, &reply.JSON); err != nil {
			t.Errorf("%s %s: %v in %s", method, r.Path, err, text)
		}
	}
	return reply
}

func encode(t testing.TB, body any) []byte {
	t.Helper()
	switch body := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// Post sends a JSON body.
func (a *API) Post(t testing.TB, path, token string, body any) Reply {
	t.Helper()
	return a.Do(t, Request{Method: http.MethodPost, Path: path, Token: token, Body: body})
}

// Get asks for a path.
func (a *API) Get(t testing.TB, path, token string) Reply {
	t.Helper()
	return a.Do(t, Request{Path: path, Token: token})
}

// At finds a value within the JSON of a reply: At("job", "name").
func (r Reply) At(path ...string) any {
	var value any = r.JSON
	for _, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[key]
	}
	return value
}

// Password is that of the accounts that Login makes.
const Password = "correct horse"

// Login registers an account if there is none, and returns the reply of its
// login.
func (a *API) Login(t testing.TB, email string) Reply {
	t.Helper()
	a.Post(t, "/api/auth/register", "", map[string]any{"name": "Somebody", "email": email, "password": Password})
	reply := a.Post(t, "/api/auth/login", "", map[string]any{"email": email, "password": Password})
	if reply.Status != http.StatusOK {
		t.Fatalf("login of %s: %d %s", email, reply.Status, reply.Text)
	}
	return reply
}

// Token returns an access token; the first account is an administrator.
func (a *API) Token(t testing.TB, email string) string {
	t.Helper()
	token, _ := a.Login(t, email).JSON["token"].(string)
	return token
}
