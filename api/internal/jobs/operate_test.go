package jobs_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/wake"
)

const jobsRoute = "/api/system/jobs"

func id(t *testing.T, reply apitest.Reply) string {
	t.Helper()
	text, _ := reply.At("job", "id").(string)
	if text == "" {
		t.Fatalf("no job: %d %s", reply.Status, reply.Text)
	}
	return text
}

// lease starts the run of the one due job.
func lease(t *testing.T, api *apitest.API, name string) *queue.Lease {
	t.Helper()
	batch, err := api.Store.Lease(t.Context(), queue.LeaseRequest{Holder: "w1", Total: 1, Names: map[string]queue.NameRequest{name: {Free: 1}}})
	if err != nil || len(batch.Leases) != 1 {
		t.Fatalf("lease: %+v, %v", batch, err)
	}
	return batch.Leases[0]
}

func record(t *testing.T, api *apitest.API, ending queue.Ending) {
	t.Helper()
	endings := []queue.Ending{ending}
	results, err := api.Store.Record(t.Context(), endings)
	if err != nil || results[0] != nil {
		t.Fatalf("record: %v, %v", results, err)
	}
	if dropped, err := api.Store.RecordRuns(t.Context(), endings); err != nil || dropped > 0 {
		t.Fatalf("record the run: %d dropped, %v", dropped, err)
	}
}

func TestShowJobWithItsRuns(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	path := jobsRoute + "/" + id(t, api.Post(t, schedulePath, token, `{"name":"generate weekly reports","data":{"week":"2025-08-04"}}`))

	started := lease(t, api, weekly)
	if shown := api.Get(t, path, token); shown.At("job", "state") != "running" || shown.At("job", "lockedBy") != "w1" {
		t.Errorf("running job: %s", shown.Text)
	}
	result, err := job.ToData(map[string]any{"at": time.UnixMilli(0).UTC(), "count": 3})
	if err != nil {
		t.Fatal(err)
	}
	record(t, api, queue.Ending{
		Lease: started, Outcome: job.Dead, Error: "boom", Stack: "main.go:1", Result: result,
		Progress: &job.Progress{Percent: 40, Message: "half", At: time.UnixMilli(5000)},
		Logs:     []job.LogLine{{At: time.UnixMilli(1000), Level: "info", Message: "begun"}},
	})
	shown := api.Get(t, path, token)
	document, _ := shown.JSON["job"].(map[string]any)
	for key, want := range map[string]any{
		"name": weekly, "type": "normal", "state": "failed", "dead": true, "cancelled": false, "failReason": "boom", "failCount": 1.0,
		"nextRunAt": nil, "lockedAt": nil, "lockedBy": nil, "repeatInterval": nil, "repeatTimezone": nil, "repeatAt": nil, "repeat": nil, "problem": nil,
		"disabled": false, "priority": 0.0,
	} {
		if diff := cmp.Diff(want, document[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if document["failedAt"] == nil || document["failedAt"] != document["lastFinishedAt"] {
		t.Errorf("failedAt = %v, lastFinishedAt = %v", document["failedAt"], document["lastFinishedAt"])
	}
	runs, _ := shown.JSON["runs"].([]any)
	if len(runs) != 1 {
		t.Fatalf("runs = %v, want one", runs)
	}
	run, _ := runs[0].(map[string]any)
	for _, key := range []string{"_id", "tick", "startedAt", "finishedAt", "durationMs", "pickupMs"} {
		if run[key] == nil {
			t.Errorf("%s is missing from %v", key, run)
		}
		delete(run, key)
	}
	want := map[string]any{
		"attempt": 1.0, "worker": "w1", "outcome": "dead", "error": "boom", "stack": "main.go:1",
		"result":   map[string]any{"at": "1970-01-01T00:00:00Z", "count": 3.0},
		"progress": map[string]any{"percent": 40.0, "message": "half", "at": "1970-01-01T00:00:05.000Z"},
		"logs":     []any{map[string]any{"at": "1970-01-01T00:00:01.000Z", "level": "info", "message": "begun"}}, "logsCut": 0.0,
	}
	if diff := cmp.Diff(want, run); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
}

func TestShowRecurringJob(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	for name, spec := range map[string]schedule.Spec{"a": {Interval: "0 8 * * 1", Timezone: "Asia/Ho_Chi_Minh"}, "b": {Interval: "5 minutes"}} {
		if _, err := api.Store.Arm(t.Context(), queue.Recurring{Name: name, Repeat: spec}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"a": "Asia/Ho_Chi_Minh", "b": "every 5 minutes"} {
		reply := api.Get(t, jobsRoute+"?name="+name, token)
		data, _ := reply.JSON["data"].([]any)
		if len(data) != 1 {
			t.Fatalf("%s: %s", name, reply.Text)
		}
		shown, _ := data[0].(map[string]any)
		words, _ := shown["repeat"].(string)
		if shown["state"] != "repeating" || shown["type"] != "single" || !strings.Contains(words, want) {
			t.Errorf("%s: %v, want %q in its words", name, shown, want)
		}
	}
}

func TestListPagesAndFilters(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	var ids []string
	for i := range 5 {
		body := fmt.Sprintf(`{"name":"job %d","allowUnknown":true,"when":%q}`, i%2, []string{"now", "in 1 hour"}[i%2])
		ids = append(ids, id(t, api.Post(t, schedulePath, token, body)))
	}
	list := func(query string) (got []string, next string) {
		t.Helper()
		reply := api.Get(t, jobsRoute+query, token)
		data, ok := reply.JSON["data"].([]any)
		if !ok {
			t.Fatalf("%s: %d %s", query, reply.Status, reply.Text)
		}
		for _, each := range data {
			got = append(got, each.(map[string]any)["_id"].(string))
		}
		next, _ = reply.JSON["next"].(string)
		return got, next
	}
	var all []string
	for next, pages := "", 0; pages == 0 || next != ""; pages++ {
		var page []string
		page, next = list("?limit=2&cursor=" + next)
		all = append(all, page...)
	}
	newestFirst := []string{ids[4], ids[3], ids[2], ids[1], ids[0]}
	if diff := cmp.Diff(newestFirst, all); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for query, want := range map[string][]string{
		"":                            newestFirst,
		"?name=job%201":               {ids[3], ids[1]},
		"?name=job%201&name=job+0":    newestFirst,
		"?state=scheduled":            {ids[1], ids[3]},
		"?state=queued,scheduled":     {ids[1], ids[3], ids[0], ids[2], ids[4]},
		"?state=queued&state=running": {ids[0], ids[2], ids[4]},
		"?dead=true":                  nil,
		"?dead=false&limit=1":         {ids[4]},
		"?dead=false&limit=201":       newestFirst,
		"?limit=99999999999999999999": newestFirst,
		"?name[$ne]=x&name=job%201":   {ids[3], ids[1]},
		"?name=none":                  nil,
	} {
		if got, _ := list(query); !cmp.Equal(want, got) {
			t.Errorf("%s = %v, want %v", query, got, want)
		}
	}
}

func TestOperateRefuses(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	user := api.Token(t, "user@example.com")
	running := id(t, api.Post(t, schedulePath, token, `{"name":"generate weekly reports"}`))
	lease(t, api, weekly)
	if _, err := api.Store.Arm(t.Context(), queue.Recurring{Name: "recurring", Repeat: schedule.Spec{Interval: "1 hour"}}); err != nil {
		t.Fatal(err)
	}
	page, err := api.Store.List(t.Context(), queue.Filter{Names: []string{"recurring"}})
	if err != nil {
		t.Fatal(err)
	}
	waiting, none := page.Jobs[0].ID.Hex(), bson.NewObjectID().Hex()

	tests := map[string]struct {
		method, path, token string
		status              int
		error, message      string
	}{
		"list of nobody":    {"GET", jobsRoute, "", 401, "Access Denied", "Access Denied"},
		"list of a user":    {"GET", jobsRoute, user, 403, "Forbidden", "Forbidden"},
		"names of a user":   {"GET", jobsRoute + "/names", user, 403, "Forbidden", "Forbidden"},
		"delete of a user":  {"DELETE", jobsRoute + "/" + running, user, 403, "Forbidden", "Forbidden"},
		"unknown state":     {"GET", jobsRoute + "?state=lost", token, 400, "Validation Error", `state "lost" is unknown; use one of: running, failed, repeating, scheduled, queued, completed`},
		"odd dead":          {"GET", jobsRoute + "?dead=maybe", token, 400, "Validation Error", `dead "maybe" is neither true nor false`},
		"limit 0":           {"GET", jobsRoute + "?limit=0", token, 400, "Validation Error", `limit "0" is not a number from 1 to 200`},
		"limit as text":     {"GET", jobsRoute + "?limit=x", token, 400, "Validation Error", `limit "x"`},
		"odd cursor":        {"GET", jobsRoute + "?cursor=x", token, 400, "Validation Error", `cursor "x" is not one that a page returned`},
		"another's cursor":  {"GET", jobsRoute + "?state=queued&cursor=all." + none, token, 400, "Validation Error", "is not one that a page returned for this list"},
		"too many names":    {"GET", jobsRoute + "?" + strings.Repeat("name=a&", 201), token, 400, "Validation Error", "201 names are given; give 200 at the most"},
		"odd id":            {"GET", jobsRoute + "/x", token, 400, "Validation Error", `id "x" is not the id of a job; it has 24 hexadecimal digits`},
		"odd id, delete":    {"DELETE", jobsRoute + "/x%2Fy", token, 400, "Validation Error", `id "x/y" is not the id of a job`},
		"no job":            {"GET", jobsRoute + "/" + none, token, 404, "Job not found", "no job has this id"},
		"cancel no job":     {"POST", jobsRoute + "/" + none + "/cancel", token, 404, "Job not found", "no job has this id"},
		"retry no job":      {"POST", jobsRoute + "/" + none + "/retry", token, 404, "Job not found", "no job has this id"},
		"delete no job":     {"DELETE", jobsRoute + "/" + none, token, 404, "Job not found", "no job has this id"},
		"retry running":     {"POST", jobsRoute + "/" + running + "/retry", token, 409, "Conflict", "it is running now"},
		"delete running":    {"DELETE", jobsRoute + "/" + running, token, 409, "Conflict", "it is running now"},
		"cancel recurring":  {"POST", jobsRoute + "/" + waiting + "/cancel", token, 409, "Conflict", "it is recurring and not running now"},
		"pause unknown":     {"POST", jobsRoute + "/names/nope/pause", token, 404, "Job name not found", `name "nope" is unknown; use one of: ` + knownNames()},
		"another method":    {"PUT", jobsRoute, token, 404, "Route not found", "Cannot PUT /api/system/jobs"},
		"unknown operation": {"POST", jobsRoute + "/" + none + "/explode?x=1", token, 404, "Route not found", "Cannot POST /api/system/jobs/" + none + "/explode?x=1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := api.Do(t, apitest.Request{Method: test.method, Path: test.path, Token: test.token})
			message, _ := reply.JSON["message"].(string)
			if reply.Status != test.status || reply.JSON["error"] != test.error || !strings.Contains(message, test.message) {
				t.Errorf("%d %s\nwant %d %q %q", reply.Status, reply.Text, test.status, test.error, test.message)
			}
		})
	}
}

func TestCancelRetryDelete(t *testing.T) {
	t.Parallel()
	var signals recorder
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Waker: &signals})
	token := api.Token(t, "admin@example.com")
	jobID := id(t, api.Post(t, schedulePath, token, `{"name":"generate weekly reports","when":"in 1 hour"}`))
	path := jobsRoute + "/" + jobID
	do := func(method, path string) apitest.Reply {
		t.Helper()
		reply := api.Do(t, apitest.Request{Method: method, Path: path, Token: token})
		if reply.Status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, reply.Status, reply.Text)
		}
		return reply
	}
	cancelled := do("POST", path+"/cancel")
	if cancelled.JSON["message"] != "Job cancelled" || cancelled.At("job", "cancelled") != true || cancelled.At("job", "nextRunAt") != nil {
		t.Errorf("cancelled: %s", cancelled.Text)
	}
	retried := do("POST", path+"/retry")
	if retried.At("job", "cancelled") != false || retried.At("job", "state") != "queued" {
		t.Errorf("retried: %s", retried.Text)
	}
	lease(t, api, weekly)
	running := do("POST", path+"/cancel")
	if running.At("job", "state") != "running" || running.JSON["message"] == "Job cancelled" {
		t.Errorf("cancelled while running: %s", running.Text)
	}
	second := jobsRoute + "/" + id(t, api.Post(t, schedulePath, token, `{"name":"generate weekly reports","when":"in 1 hour"}`))
	if deleted := do("DELETE", second); deleted.JSON["message"] != "Job deleted" {
		t.Errorf("deleted: %s", deleted.Text)
	}
	if gone := api.Get(t, second, token); gone.Status != http.StatusNotFound {
		t.Errorf("after that: %d %s", gone.Status, gone.Text)
	}
	want := []wake.Signal{{Kind: wake.Due, Name: weekly}, {Kind: wake.Cancel, Name: weekly, JobID: jobID}}
	if diff := cmp.Diff(want, signals.signals); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
}

func TestNamesArePausedAndResumed(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	const odd = "gửi mail/50%+1" // whatever a name holds, the path can carry it
	register(t, api, odd, time.Now())
	names := func() map[string]map[string]any {
		t.Helper()
		reply := api.Get(t, jobsRoute+"/names", token)
		byName := map[string]map[string]any{}
		data, _ := reply.JSON["data"].([]any)
		for _, each := range data {
			view := each.(map[string]any)
			byName[view["name"].(string)] = view
		}
		return byName
	}
	before := names()
	if len(before) != 1+len(catalog.ETrainer("").Names()) || before[weekly]["description"] == nil || before[weekly]["repeat"] == nil || before[weekly]["paused"] != false {
		t.Errorf("names = %v", before)
	}
	workers := []any{map[string]any{"id": "worker of " + odd, "limit": 2.0}}
	if diff := cmp.Diff(workers, before[odd]["workers"]); diff != "" {
		t.Errorf("workers (-want +got):\n%s", diff)
	}
	for _, step := range []struct {
		verb    string
		message string
		paused  bool
	}{{"pause", "Job name paused", true}, {"pause", "Job name paused", true}, {"resume", "Job name resumed", false}} {
		reply := api.Post(t, jobsRoute+"/names/g%E1%BB%ADi%20mail%2F50%25+1/"+step.verb, token, nil)
		if reply.Status != http.StatusOK || reply.JSON["message"] != step.message || reply.JSON["name"] != odd {
			t.Fatalf("%s: %d %s", step.verb, reply.Status, reply.Text)
		}
		after := names()[odd]
		if after["paused"] != step.paused || after["changedBy"] != "admin@example.com" || after["changedAt"] == nil {
			t.Errorf("after %s: %v", step.verb, after)
		}
	}
}

// TestStatsComeFromTheCache for those who ask again soon, and say so.
func TestStatsComeFromTheCache(t *testing.T) {
	t.Parallel()
	now := time.Now()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Counted: true, Now: func() time.Time { return now }})
	token := api.Token(t, "admin@example.com")
	for _, want := range []string{"MISS", "HIT"} {
		reply := api.Get(t, jobsRoute+"/stats", token)
		if got := reply.Header.Get("X-Cache"); got != want || reply.At("stats", "total") != 0.0 {
			t.Errorf("X-Cache = %q, want %s: %s", got, want, reply.Text)
		}
		id(t, api.Post(t, schedulePath, token, `{"name":"generate weekly reports"}`))
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	schedule := func(body string) { id(t, api.Post(t, schedulePath, token, body)) }
	schedule(`{"name":"generate weekly reports"}`) // running
	lease(t, api, weekly)
	for range 2 { // dead, completed
		schedule(`{"name":"generate weekly reports"}`)
	}
	record(t, api, queue.Ending{Lease: lease(t, api, weekly), Outcome: job.Dead, Error: "boom"})
	record(t, api, queue.Ending{Lease: lease(t, api, weekly), Outcome: job.Succeeded})
	schedule(`{"name":"generate weekly reports"}`) // queued
	for range 3 {                                  // scheduled
		schedule(`{"name":"generate weekly reports","when":"in 1 hour"}`)
	}
	register(t, api, weekly, time.Now())

	reply := api.Get(t, jobsRoute+"/stats", token)
	old := map[string]any{"total": 7.0, "scheduled": 3.0, "running": 1.0, "completed": 1.0, "failed": 1.0}
	all := map[string]any{"queued": 1.0, "repeating": 0.0, "dead": 1.0}
	maps.Copy(all, old)
	health, _ := reply.JSON["health"].(map[string]any)
	if diff := cmp.Diff(old, health["stats"]); diff != "" {
		t.Errorf("health.stats (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, reply.JSON["stats"]); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if reply.JSON["message"] != "Job statistics retrieved" || health["status"] != "healthy" || health["isStarted"] != true ||
		reply.JSON["timestamp"] == nil || reply.JSON["timestamp"] != health["timestamp"] || reply.JSON["asOf"] == nil {
		t.Errorf("reply = %s", reply.Text)
	}
}
