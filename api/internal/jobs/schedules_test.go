package jobs_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

const streaksPath = "/api/system/jobs/schedules/update%20user%20streaks"

// TestSchedules sets, changes, switches off and resets a schedule.
func TestSchedules(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	send := func(method string, body any) apitest.Reply {
		t.Helper()
		reply := api.Do(t, apitest.Request{Method: method, Path: streaksPath, Token: token, Body: body})
		if reply.Status != http.StatusOK {
			t.Fatalf("%s %v: %d %s", method, body, reply.Status, reply.Text)
		}
		return reply
	}
	expect := func(reply apitest.Reply, interval, timezone string, enabled, overridden bool) {
		t.Helper()
		if reply.At("schedule", "interval") != interval || reply.At("schedule", "timezone") != timezone ||
			reply.At("schedule", "enabled") != enabled || reply.At("schedule", "overridden") != overridden {
			t.Errorf("the reply is %s", reply.Text)
		}
	}
	expect(send("GET", nil), "0 0 * * *", "Asia/Ho_Chi_Minh", true, false)
	put := send("PUT", map[string]any{"interval": "30 9 * * *", "timezone": "Europe/Berlin"})
	expect(put, "30 9 * * *", "Europe/Berlin", true, true)
	if put.At("schedule", "changedBy") != "admin@example.com" || put.At("schedule", "changedAt") == nil ||
		put.At("schedule", "words") != "every day at 09:30 in Europe/Berlin" {
		t.Errorf("the reply is %s", put.Text)
	}
	if next, _ := put.At("schedule", "next").([]any); len(next) != 5 {
		t.Errorf("the next ticks are %v", next)
	}
	expect(send("PATCH", map[string]any{"enabled": false}), "30 9 * * *", "Europe/Berlin", false, true)
	expect(send("PATCH", map[string]any{"timezone": "UTC"}), "30 9 * * *", "UTC", false, true)
	expect(send("PUT", map[string]any{"interval": "2 hours"}), "2 hours", "Asia/Ho_Chi_Minh", true, true)
	back := send("DELETE", nil)
	expect(back, "0 0 * * *", "Asia/Ho_Chi_Minh", true, false)
	if back.At("schedule", "changedBy") != "admin@example.com" || back.At("schedule", "changedAt") == nil {
		t.Errorf("who went back to the default is lost: %s", back.Text)
	}
	list := api.Get(t, "/api/system/jobs/schedules", token)
	if data, _ := list.JSON["data"].([]any); len(data) < 3 {
		t.Errorf("the list is %s", list.Text)
	}
}

// TestScheduleNonsense is refused with a sentence, and changes nothing.
func TestScheduleNonsense(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	token := api.Token(t, "admin@example.com")
	for _, c := range []struct {
		body any
		want string
	}{
		{map[string]any{"interval": "61 * * * *"}, "61"},
		{map[string]any{"interval": "whenever"}, "whenever"},
		{map[string]any{"interval": "0 0 30 2 *"}, "never runs"},
		{map[string]any{"interval": "1 second"}, "use 10s or more"},
		{map[string]any{"interval": "0,15,30,45,50 * * * * *"}, "runs again after 5s; use 10s or more"},
		{map[string]any{"interval": 5}, `"interval" must be a string, not a number`},
		{map[string]any{"timezone": "Mars/Olympus"}, "Mars/Olympus"},
		{map[string]any{"enabled": "no"}, `"enabled" must be a boolean, not a string`},
		{map[string]any{}, "nothing is to be changed"},
	} {
		reply := api.Do(t, apitest.Request{Method: "PUT", Path: streaksPath, Token: token, Body: c.body})
		if reply.Status != http.StatusBadRequest || !strings.Contains(reply.Text, strings.ReplaceAll(c.want, `"`, `\"`)) {
			t.Errorf("%v: %d %s", c.body, reply.Status, reply.Text)
		}
	}
	if settings, err := api.Store.Settings(t.Context()); err != nil || len(settings) != 0 {
		t.Errorf("stored all the same: %v, %v", settings, err)
	}
	unknown := api.Do(t, apitest.Request{Method: "PUT", Path: "/api/system/jobs/schedules/tidy", Token: token, Body: map[string]any{"interval": "5 minutes"}})
	if unknown.Status != http.StatusNotFound || !strings.Contains(unknown.Text, "update user streaks") {
		t.Errorf("unknown: %d %s", unknown.Status, unknown.Text)
	}
	if _, err := db.Collection("agendaSettings").InsertOne(t.Context(), bson.M{"_id": "update user streaks", "schedule": "soon"}); err != nil {
		t.Fatal(err)
	}
	byHand := api.Get(t, streaksPath, token)
	if problem, _ := byHand.At("schedule", "problem").(string); byHand.Status != http.StatusOK || !strings.Contains(problem, "set it anew") || byHand.At("schedule", "interval") != "0 0 * * *" {
		t.Errorf("set by hand: %d %s", byHand.Status, byHand.Text)
	}
}

// TestStoredProblems are shown wherever the job, its schedule or its name is.
func TestStoredProblems(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	token := api.Token(t, "admin@example.com")
	foreign := bson.NewObjectID()
	for collection, documents := range map[string][]any{
		"agendaJobs": {
			bson.M{"_id": foreign, "name": "foreign", "type": "normal", "repeatInterval": "two and a half hours", "nextRunAt": time.Now().Add(time.Hour)},
			bson.M{"name": "ended", "type": "single", "repeatAt": "mon at 9am", "nextRunAt": nil},
			bson.M{"name": "update user streaks", "type": "single", "repeatInterval": "0 0 * * *", "repeatTimezone": "Asia/Ho_Chi_Minh", "skipDays": "2 days"},
			bson.M{"name": "good", "type": "single", "repeatInterval": "5 minutes"},
		},
		"agendaSettings": {bson.M{"_id": "foreign", "paused": "yes", "schedule": "soon"}},
	} {
		if _, err := db.Collection(collection).InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
	const goesOn, ended = "the job goes on as Agenda reads it, every 2 hours", "the job has no next run"

	job := api.Get(t, jobsRoute+"/"+foreign.Hex(), token)
	if problem, _ := job.At("job", "problem").(string); !strings.Contains(problem, goesOn) || job.At("job", "repeat") != "every 2 hours" {
		t.Errorf("the job: %s", job.Text)
	}
	list := api.Get(t, jobsRoute+"?name=ended", token)
	if !strings.Contains(list.Text, ended) || !strings.Contains(list.Text, `"repeatAt":"mon at 9am"`) {
		t.Errorf("the list: %s", list.Text)
	}
	if good := api.Get(t, jobsRoute+"?name=good", token); !strings.Contains(good.Text, `"problem":null`) {
		t.Errorf("a good one: %s", good.Text)
	}
	schedules := api.Get(t, jobsRoute+"/schedules", token)
	problems, _ := schedules.JSON["problems"].([]any)
	if len(problems) != 3 || !strings.Contains(schedules.Text, goesOn) || !strings.Contains(schedules.Text, ended) {
		t.Errorf("the schedules: %v", problems)
	}
	if streaks := api.Get(t, streaksPath, token); !strings.Contains(streaks.Text, `skipDays \"2 days\"`) {
		t.Errorf("one schedule: %s", streaks.Text)
	}
	names := api.Get(t, jobsRoute+"/names", token)
	if !strings.Contains(names.Text, "the name is held as if it were true") || !strings.Contains(names.Text, "the stored schedule") {
		t.Errorf("the names: %s", names.Text)
	}
}
