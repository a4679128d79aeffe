package jobs_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/wake"
)

const (
	schedulePath = "/api/system/jobs/schedule"
	weekly       = "generate weekly reports"
)

// noon is the present of tests with a fixed clock: 19:00 in Ho Chi Minh City.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 123e6, time.UTC)

func TestSchedule(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: func() time.Time { return noon }})
	token := api.Token(t, "admin@example.com")
	register(t, api, "node job", noon)

	now := "2026-03-04T12:00:00.123Z"
	tests := map[string]struct {
		body  string
		at    string // scheduled_for
		data  any
		state string
	}{
		"name alone":       {`{"name":"generate weekly reports"}`, now, map[string]any{}, "queued"},
		"now":              {`{"name":"generate weekly reports","when":"now"}`, now, map[string]any{}, "queued"},
		"in the past":      {`{"name":"generate weekly reports","when":"2020-01-01T00:00:00Z"}`, "2020-01-01T00:00:00.000Z", map[string]any{}, "queued"},
		"phrase":           {`{"name":"generate weekly reports","when":"in 5 minutes"}`, "2026-03-04T12:05:00.123Z", map[string]any{}, "scheduled"},
		"phrase of a zone": {`{"name":"generate weekly reports","when":"tomorrow at noon"}`, "2026-03-05T05:00:00.123Z", map[string]any{}, "scheduled"},
		"another zone":     {`{"name":"generate weekly reports","when":"tomorrow at noon","timezone":"America/New_York"}`, "2026-03-05T17:00:00.123Z", map[string]any{}, "scheduled"},
		"epoch":            {`{"name":"generate weekly reports","when":1893456000000}`, "2030-01-01T00:00:00.000Z", map[string]any{}, "scheduled"},
		"epoch as text":    {`{"name":"generate weekly reports","when":"1893456000000"}`, "2030-01-01T00:00:00.000Z", map[string]any{}, "scheduled"},
		"epoch zero":       {`{"name":"generate weekly reports","when":0}`, "1970-01-01T00:00:00.000Z", map[string]any{}, "queued"},
		"offset":           {`{"name":"generate weekly reports","when":"2030-01-01T07:00:00+07:00"}`, "2030-01-01T00:00:00.000Z", map[string]any{}, "scheduled"},
		"data":             {`{"name":"generate weekly reports","data":{"week":"2025-08-04"}}`, now, map[string]any{"week": "2025-08-04"}, "queued"},
		"null data":        {`{"name":"generate weekly reports","data":null}`, now, nil, "queued"},
		"unknown keys":     {`{"name":"generate weekly reports","color":"red"}`, now, map[string]any{}, "queued"},
		"name of a worker": {`{"name":"node job","data":[1,"x",{"a":2.5}]}`, now, []any{1.0, "x", map[string]any{"a": 2.5}}, "queued"},
		"unknown, allowed": {`{"name":"só Node biết","allowUnknown":true,"data":"<text>"}`, now, "<text>", "queued"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := api.Post(t, schedulePath, token, test.body)
			if reply.Status != http.StatusOK || reply.JSON["message"] != "Job scheduled successfully" {
				t.Fatalf("%d %s", reply.Status, reply.Text)
			}
			got, _ := reply.JSON["job"].(map[string]any)
			id, _ := got["id"].(string)
			delete(got, "id")
			want := map[string]any{
				"name": weekly, "data": test.data, "scheduled_for": test.at, "created_at": now, "state": test.state, "created": true,
			}
			if strings.Contains(name, "worker") || strings.Contains(name, "allowed") {
				want["name"] = got["name"]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("job (-want +got):\n%s", diff)
			}
			oid, err := bson.ObjectIDFromHex(id)
			if err != nil {
				t.Fatalf("id %q: %v", id, err)
			}
			stored, err := api.Store.Get(t.Context(), oid)
			if err != nil || stored.NextRunAt.Format("2006-01-02T15:04:05.000Z07:00") != test.at {
				t.Errorf("stored = %+v, %v", stored, err)
			}
		})
	}
}

// register makes a live worker that can run a name.
func register(t *testing.T, api *apitest.API, name string, now time.Time) {
	t.Helper()
	err := api.Registry.Register(t.Context(), fleet.Instance{
		ID: "worker of " + name, Kind: fleet.Worker, SeenAt: now, ExpiresAt: now.Add(time.Minute), Names: map[string]int{name: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// knownNames lists the names of the catalog, and then others, as messages do.
func knownNames(others ...string) string {
	return strings.Join(append(catalog.ETrainer("").Names(), others...), ", ")
}

func TestScheduleRefuses(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	token := api.Token(t, "admin@example.com")
	user := api.Token(t, "user@example.com")
	register(t, api, "dead worker's job", time.Now().Add(-time.Hour))
	register(t, api, "live worker's job", time.Now())
	deep := strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 70)
	// Each of these bytes is replaced by the three of U+FFFD.
	swelling := strings.Repeat("\xff", 6<<20)

	tests := map[string]struct {
		token, body string
		header      [2]string
		status      int
		error       string
		message     string // a regular expression
	}{
		"no token":         {"", `{}`, [2]string{}, 401, "Access Denied", `^Access Denied`},
		"bad token":        {"x", `{}`, [2]string{}, 401, "Invalid token", `^Invalid token`},
		"wrong role":       {user, `{"name":"generate weekly reports"}`, [2]string{}, 403, "Forbidden", `^Forbidden: this needs the role ADMIN, and your account has the role USER$`},
		"no body":          {token, ``, [2]string{}, 400, "Job name is required", `send the name`},
		"no name":          {token, `{"data":{}}`, [2]string{}, 400, "Job name is required", `^Job name is required`},
		"null name":        {token, `{"name":null}`, [2]string{}, 400, "Job name is required", `^Job name is required`},
		"blank name":       {token, `{"name":"  "}`, [2]string{}, 400, "Job name is required", `^Job name is required`},
		"object as name":   {token, `{"name":{"$gt":""}}`, [2]string{}, 400, "Validation Error", `^"name" must be a string, not an object$`},
		"long name":        {token, `{"name":"` + strings.Repeat("x", 256) + `","allowUnknown":true}`, [2]string{}, 400, "Validation Error", `at most 255 bytes`},
		"unknown name":     {token, `{"name":"nope"}`, [2]string{}, 400, "Validation Error", `^name "nope" is unknown: .* use one of: ` + knownNames("live worker's job") + `$`},
		"of a dead worker": {token, `{"name":"dead worker's job"}`, [2]string{}, 400, "Validation Error", `is unknown`},
		"odd allowUnknown": {token, `{"name":"nope","allowUnknown":1}`, [2]string{}, 400, "Validation Error", `^allowUnknown must be true or false, not a number$`},
		"odd insertOnly":   {token, `{"name":"generate weekly reports","data":{"a":1},"unique":{"by":["a"],"insertOnly":"yes"}}`, [2]string{}, 400, "Validation Error", `^unique.insertOnly must be true or false, not a string$`},
		"unreadable when":  {token, `{"name":"generate weekly reports","when":"the day after never"}`, [2]string{}, 400, "Validation Error", `^when "the day after never"`},
		"cron as when":     {token, `{"name":"generate weekly reports","when":"0 9 * * *"}`, [2]string{}, 400, "Validation Error", `cron`},
		"blank when":       {token, `{"name":"generate weekly reports","when":"  "}`, [2]string{}, 400, "Validation Error", `^when is blank; leave it out for now`},
		"null when":        {token, `{"name":"generate weekly reports","when":null}`, [2]string{}, 400, "Validation Error", `^when must be text or a number, not null`},
		"object as when":   {token, `{"name":"generate weekly reports","when":{"$date":1}}`, [2]string{}, 400, "Validation Error", `^when must be text or a number, not an object`},
		"boolean as when":  {token, `{"name":"generate weekly reports","when":true}`, [2]string{}, 400, "Validation Error", `^when must be text or a number, not a boolean`},
		"distant when":     {token, `{"name":"generate weekly reports","when":1e300}`, [2]string{}, 400, "Validation Error", `^when 1e300 is beyond`},
		"unknown zone":     {token, `{"name":"generate weekly reports","timezone":"Mars/Base"}`, [2]string{}, 400, "Validation Error", `^timezone "Mars/Base" is not known`},
		"zone of process":  {token, `{"name":"generate weekly reports","timezone":"Local"}`, [2]string{}, 400, "Validation Error", `^timezone "Local"`},
		"odd priority":     {token, `{"name":"generate weekly reports","priority":"urgent"}`, [2]string{}, 400, "Validation Error", `^priority "urgent" is unknown: .*lowest, low, normal, high, highest`},
		"array priority":   {token, `{"name":"generate weekly reports","priority":[1]}`, [2]string{}, 400, "Validation Error", `^priority must be a number or a name, not an array`},
		"wrong data":       {token, `{"name":"generate weekly reports","data":{"week":"x"}}`, [2]string{}, 400, "Validation Error", `week "x" is not a date`},
		"text as data":     {token, `{"name":"generate weekly reports","data":"x"}`, [2]string{}, 400, "Validation Error", `must be a JSON object, not a string`},
		"operator in data": {token, `{"name":"x","allowUnknown":true,"data":{"a":[{"$where":1}]}}`, [2]string{}, 400, "Validation Error", `^data has the key "\$where"`},
		"deep data":        {token, `{"name":"x","allowUnknown":true,"data":` + deep + `}`, [2]string{}, 400, "Validation Error", `nested deeper than`},
		"data too large":   {token, `{"name":"x","allowUnknown":true,"data":["` + swelling + `"]}`, [2]string{}, 413, "Request entity too large", `^data takes \d+ bytes when stored`},
		"unique of none":   {token, `{"name":"generate weekly reports","unique":{}}`, [2]string{}, 400, "Validation Error", `^unique.by is empty`},
		"unique of absent": {token, `{"name":"generate weekly reports","unique":{"by":["week"]}}`, [2]string{}, 400, "Validation Error", `^unique.by names "week"`},
		"unique operator":  {token, `{"name":"x","allowUnknown":true,"data":{"a":{"b":1}},"unique":{"by":["a"]}}`, [2]string{}, 400, "Validation Error", `^unique.by names "a"`},
		"unique with key": {
			token, `{"name":"generate weekly reports","data":{"week":"2025-08-04"},"unique":{"by":["week"]}}`,
			[2]string{"Idempotency-Key", "k"},
			400, "Validation Error", `exclude each other`,
		},
		"empty key":    {token, `{"name":"generate weekly reports"}`, [2]string{"Idempotency-Key", ""}, 400, "Validation Error", `^the header Idempotency-Key must be 1 to 255 visible`},
		"key of space": {token, `{"name":"generate weekly reports"}`, [2]string{"Idempotency-Key", "a b"}, 400, "Validation Error", `^the header Idempotency-Key`},
		"long key":     {token, `{"name":"generate weekly reports"}`, [2]string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "Validation Error", `^the header Idempotency-Key`},
		"array":        {token, `[{"name":"generate weekly reports"}]`, [2]string{}, 400, "Validation Error", `must be a JSON object, not an array`},
		"text":         {token, `"generate weekly reports"`, [2]string{}, 400, "Validation Error", `must be a JSON object, not a string`},
		"malformed":    {token, `{"name":"generate weekly reports",}`, [2]string{}, 400, "Validation Error", `^the body is malformed JSON at byte 35`},
		"two values":   {token, `{"name":"generate weekly reports"} {}`, [2]string{}, 400, "Validation Error", `malformed JSON`},
		"11 MiB":       {token, strings.Repeat(" ", 11<<20), [2]string{}, 413, "Request entity too large", `at most 10485760 bytes`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := apitest.Request{Method: http.MethodPost, Path: schedulePath, Token: test.token, Body: test.body}
			if test.header[0] != "" {
				request.Header = map[string]string{test.header[0]: test.header[1]}
			}
			reply := api.Do(t, request)
			message, _ := reply.JSON["message"].(string)
			if reply.Status != test.status || reply.JSON["error"] != test.error || !regexp.MustCompile(test.message).MatchString(message) {
				t.Errorf("%d %.500s\nwant %d %q %s", reply.Status, reply.Text, test.status, test.error, test.message)
			}
		})
	}
	t.Cleanup(func() { // after the parallel subtests
		if n, err := db.Collection(mongoqueue.DefaultCollection).CountDocuments(context.WithoutCancel(t.Context()), bson.D{}); err != nil || n != 0 {
			t.Errorf("jobs stored by refused requests = %d, %v", n, err)
		}
	})
}

func TestScheduleByForm(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	reply := api.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/API/System/Jobs/Schedule/", Token: api.Token(t, "admin@example.com"),
		Body:   "name=x&allowUnknown=true&priority=7&when=1893456000000&data[user][id]=7&data[tag]=a&data[tag]=b",
		Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
	want := map[string]any{"user": map[string]any{"id": "7"}, "tag": []any{"a", "b"}}
	if diff := cmp.Diff(want, reply.At("job", "data")); diff != "" || reply.At("job", "scheduled_for") != "2030-01-01T00:00:00.000Z" {
		t.Errorf("%d %s\ndata (-want +got):\n%s", reply.Status, reply.Text, diff)
	}
}

func keyed(key, body, token string) apitest.Request {
	return apitest.Request{Method: http.MethodPost, Path: schedulePath, Token: token, Body: body, Header: map[string]string{"Idempotency-Key": key}}
}

func TestIdempotencyKeyAcrossReplicas(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	a, b := apitest.Start(t, db, apitest.Options{}), apitest.Start(t, db, apitest.Options{})
	admin := a.Login(t, "admin@example.com")
	token, _ := admin.JSON["token"].(string)
	other := a.Token(t, "other@example.com")
	if _, err := db.Collection("users").UpdateMany(t.Context(), bson.D{}, bson.M{"$set": bson.M{"role": "ADMIN"}}); err != nil {
		t.Fatal(err)
	}
	const body = `{"name":"generate weekly reports","data":{"week":"2025-08-04"}}`

	first := a.Do(t, keyed("k1", body, token))
	if first.Status != http.StatusOK || first.Header.Get("Idempotency-Replayed") != "" || first.At("job", "created") != true {
		t.Fatalf("first: %d %s %v", first.Status, first.Text, first.Header)
	}
	again := b.Do(t, keyed("k1", body, token))
	if again.Status != http.StatusOK || again.Header.Get("Idempotency-Replayed") != "true" || again.At("job", "created") != false {
		t.Errorf("again: %d %s %v", again.Status, again.Text, again.Header)
	}
	for _, key := range []string{"id", "name", "scheduled_for"} {
		if first.At("job", key) != again.At("job", key) {
			t.Errorf("%s = %v and %v, want the same", key, first.At("job", key), again.At("job", key))
		}
	}
	for field, changed := range map[string]string{
		"data.week": `{"name":"generate weekly reports","data":{"week":"2025-08-11"}}`,
		"name":      `{"name":"x","allowUnknown":true,"data":{"week":"2025-08-04"}}`,
	} {
		reply := b.Do(t, keyed("k1", changed, token))
		if message, _ := reply.At("message").(string); reply.Status != http.StatusConflict || reply.JSON["error"] != "Conflict" || !strings.Contains(message, ": "+field+" is another one;") {
			t.Errorf("another %s with the same key: %d %s", field, reply.Status, reply.Text)
		}
	}
	for name, reply := range map[string]apitest.Reply{
		"another key":    b.Do(t, keyed("k2", body, token)),
		"another caller": b.Do(t, keyed("k1", body, other)),
		"no key":         b.Post(t, schedulePath, token, body),
	} {
		if reply.At("job", "created") != true {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	wantJobs(t, db, 4)
}

func wantJobs(t *testing.T, db *mongo.Database, want int64) {
	t.Helper()
	if n, err := db.Collection(mongoqueue.DefaultCollection).CountDocuments(t.Context(), bson.D{}); err != nil || n != want {
		t.Errorf("jobs = %d, %v, want %d", n, err, want)
	}
}

// A client that repeats a request may write its keys in another order, and its
// numbers in another form.
func TestIdempotencyKeyComparesMeaning(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	token := api.Token(t, "admin@example.com")
	for i, body := range []string{
		`{"name":"x","allowUnknown":true,"data":{"week":1,"note":{"a":"x","b":[100]}},"when":""}`,
		`{"data":{"note":{"b":[1e2],"a":"\u0078"},"week":1.0},"name":"x","allowUnknown":"true"}`,
	} {
		reply := api.Do(t, keyed("k", body, token))
		if reply.Status != http.StatusOK || reply.At("job", "created") != (i == 0) {
			t.Errorf("%s: %d %s", body, reply.Status, reply.Text)
		}
	}
	wantJobs(t, db, 1)
}

func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	replicas := []*apitest.API{apitest.Start(t, db, apitest.Options{}), apitest.Start(t, db, apitest.Options{})}
	token := replicas[0].Token(t, "admin@example.com")
	var all sync.WaitGroup
	ids := make(chan string, 10)
	for i := range cap(ids) {
		all.Go(func() {
			reply := replicas[i%2].Do(t, keyed("at-once", `{"name":"generate weekly reports"}`, token))
			ids <- fmt.Sprint(reply.Status, " ", reply.At("job", "id"))
		})
	}
	all.Wait()
	close(ids)
	seen, answer := map[string]int{}, ""
	for answer = range ids {
		seen[answer]++
	}
	if len(seen) != 1 || !strings.HasPrefix(answer, "200 ") {
		t.Errorf("answers = %v, want ten equal ones", seen)
	}
	wantJobs(t, db, 1)
}

func TestUnique(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	token := api.Token(t, "admin@example.com")
	send := func(user int, note, more string) apitest.Reply {
		return api.Post(t, schedulePath, token, fmt.Sprintf(
			`{"name":"x","allowUnknown":true,"data":{"user":{"id":%d},"note":%q},"unique":{"by":["user.id"]%s}}`, user, note, more))
	}
	first := send(1, "a", "")
	replaced := send(1, "b", "")
	kept := send(1, "c", `,"insertOnly":true`)
	for name, reply := range map[string]apitest.Reply{"replaced": replaced, "kept": kept} {
		if reply.At("job", "id") != first.At("job", "id") || reply.At("job", "created") != false || reply.At("job", "data", "note") != "b" {
			t.Errorf("%s: %d %s", name, reply.Status, reply.Text)
		}
	}
	if reply := send(2, "a", ""); reply.At("job", "created") != true {
		t.Errorf("another user: %d %s", reply.Status, reply.Text)
	}
	wantJobs(t, db, 2)
}

func TestPriority(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	for text, want := range map[string]float64{`"high"`: job.PriorityHigh, `-3.5`: -3.5, `"7"`: 7, `null`: 0} {
		reply := api.Post(t, schedulePath, token, `{"name":"generate weekly reports","priority":`+text+`}`)
		shown := api.Get(t, "/api/system/jobs/"+fmt.Sprint(reply.At("job", "id")), token)
		if shown.At("job", "priority") != want {
			t.Errorf("priority %s is stored as %v, want %v", text, shown.At("job", "priority"), want)
		}
	}
}

// recorder keeps the signals that are sent.
type recorder struct {
	mu      sync.Mutex
	signals []wake.Signal
}

func (r *recorder) Publish(_ context.Context, signal wake.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signals = append(r.signals, signal)
	return nil
}

func TestScheduleCostsTwoCommandsAndWakes(t *testing.T) {
	t.Parallel()
	var counter mongodb.CommandCounter
	var signals recorder
	db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
	api := apitest.Start(t, db, apitest.Options{Waker: &signals})
	token := api.Token(t, "admin@example.com")
	counter.Reset()
	if reply := api.Post(t, schedulePath, token, `{"name":"generate weekly reports"}`); reply.Status != http.StatusOK {
		t.Fatalf("%d %s", reply.Status, reply.Text)
	}
	if diff := cmp.Diff(map[string]int64{"find": 1, "insert": 1}, counter.Counts()); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]wake.Signal{{Kind: wake.Due, Name: weekly}}, signals.signals); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
}

// TestTheNameOfAWorkerIsRemembered: it costs a look at the workers once, and not
// with each job. A worker that has just started is known at once.
func TestTheNameOfAWorkerIsRemembered(t *testing.T) {
	t.Parallel()
	var counter mongodb.CommandCounter
	db := mongotest.Database(t, options.Client().SetMonitor(counter.Monitor()))
	var ahead atomic.Int64
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	api := apitest.Start(t, db, apitest.Options{Now: now})
	token := api.Token(t, "admin@example.com")
	post := func(name string, want int, commands map[string]int64) {
		t.Helper()
		counter.Reset()
		if reply := api.Post(t, schedulePath, token, `{"name":"`+name+`"}`); reply.Status != want {
			t.Fatalf("%s: %d %s", name, reply.Status, reply.Text)
		}
		if diff := cmp.Diff(commands, counter.Counts()); commands != nil && diff != "" {
			t.Errorf("%s: commands (-want +got):\n%s", name, diff)
		}
	}
	post("node job", http.StatusBadRequest, nil)
	register(t, api, "node job", began)
	post("node job", http.StatusOK, map[string]int64{"find": 1, "insert": 1})
	post("node job", http.StatusOK, map[string]int64{"insert": 1})
	register(t, api, "another", began)
	post("another", http.StatusOK, map[string]int64{"find": 1, "insert": 1})
	ahead.Add(int64(3 * time.Second)) // the caller is not known any more, the name is
	post("node job", http.StatusOK, map[string]int64{"find": 1, "insert": 1})
	ahead.Add(int64(10 * time.Minute)) // both workers are long dead
	post("node job", http.StatusBadRequest, nil)
}
