package reports_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

const route = "/api/system/reports"

func document(week string, exams any, zone string) bson.D {
	at := time.Date(2025, 8, 11, 1, 0, 0, 0, time.UTC)
	return bson.D{
		{Key: "_id", Value: week},
		{Key: "week", Value: week},
		{Key: "newUsers", Value: 3},
		{Key: "examsCompleted", Value: exams},
		{Key: "activeUsers", Value: int64(7)},
		{Key: "practiceCompleted", Value: 10.0},
		{Key: "from", Value: at},
		{Key: "to", Value: at},
		{Key: "timezone", Value: zone},
		{Key: "generatedAt", Value: at},
	}
}

// measured adds what the worker tells of accuracy.
func measured(d bson.D, accuracy, practices any) bson.D {
	return append(d,
		bson.E{Key: "examAccuracy", Value: nil},
		bson.E{Key: "practiceAccuracy", Value: accuracy},
		bson.E{Key: "lessonTypes", Value: bson.A{bson.D{
			{Key: "type", Value: "SHORT_TALK"}, {Key: "practices", Value: practices}, {Key: "questions", Value: 4}, {Key: "correctAnswers", Value: 3}, {Key: "accuracy", Value: 75.0},
		}}},
		bson.E{Key: "skipped", Value: bson.D{{Key: "practicehistories: <b>endTime</b>", Value: 2}}},
	)
}

func start(t *testing.T) (api *apitest.API, admin, user string) {
	t.Helper()
	db := mongotest.Database(t)
	for _, d := range []bson.D{
		document("2025-07-21", 4, "Asia/Ho_Chi_Minh"), // of a release that knew no accuracy
		measured(document("2025-07-28", 4, "Asia/Ho_Chi_Minh"), 80.5, 2),
		measured(document("2025-08-04", 6, "<script>alert(1)</script>"), 75.25, 3),
		measured(document("2025-08-11", "many", "=cmd()"), "high", "some"),
	} {
		if _, err := db.Collection("weeklyReports").InsertOne(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	api = apitest.Start(t, db, apitest.Options{})
	return api, api.Token(t, "admin@example.com"), api.Token(t, "user@example.com")
}

func TestReports(t *testing.T) {
	t.Parallel()
	api, admin, _ := start(t)
	list := api.Get(t, route+"?limit=2", admin)
	if data, _ := list.JSON["data"].([]any); list.Status != http.StatusOK || len(data) != 2 || data[0].(map[string]any)["week"] != "2025-08-11" {
		t.Errorf("the list is %d %s", list.Status, list.Text)
	}
	one := api.Get(t, route+"/2025-08-06", admin) // a Wednesday
	if one.At("report", "week") != "2025-08-04" || one.At("previous", "week") != "2025-07-28" || one.At("change", "examsCompleted") != 50.0 {
		t.Errorf("the report is %d %s", one.Status, one.Text)
	}
	byHand := api.Get(t, route+"/2025-08-11", admin)
	if unreadable, _ := byHand.At("report", "unreadable").([]any); !reflect.DeepEqual(unreadable, []any{"examsCompleted", "practiceAccuracy", "lessonTypes"}) {
		t.Errorf("the report is %d %s", byHand.Status, byHand.Text)
	}
	if one.At("report", "practiceAccuracy") != 75.25 || one.At("change", "practiceAccuracy") != -5.25 || one.At("change", "lessonTypes", "SHORT_TALK") != 50.0 {
		t.Errorf("the accuracy is %d %s", one.Status, one.Text)
	}
	before := api.Get(t, route+"/2025-07-28", admin)
	if !strings.Contains(before.Text, `"lessonTypes":[{"type":"SHORT_TALK","practices":2,"questions":4,"correctAnswers":3,"accuracy":75}]`) || before.At("previous", "practiceAccuracy") != nil || before.At("change", "lessonTypes", "SHORT_TALK") != nil {
		t.Errorf("beside an older report: %d %s", before.Status, before.Text)
	}
	measured := api.Get(t, route+"/2025-08-04.csv", admin)
	if !strings.Contains(measured.Text, ",SHORT_TALK practices,SHORT_TALK accuracy,") || !strings.Contains(measured.Text, "Z,,75.25,0,,0,,0,,3,75.00,") {
		t.Errorf("the CSV is %d %s", measured.Status, measured.Text)
	}
	csv := api.Get(t, route+"/2025-08-11.csv", admin)
	if !strings.HasPrefix(csv.Text, "week,newUsers,examsCompleted") || !strings.Contains(csv.Text, "2025-08-11,3,0,10,7,") || !strings.Contains(csv.Text, ",'=cmd(),") {
		t.Errorf("the CSV is %d %s", csv.Status, csv.Text)
	}
}

// TestPage has a chart, no script, and a policy that allows none.
func TestPage(t *testing.T) {
	t.Parallel()
	api, admin, _ := start(t)
	page := api.Get(t, route+"/2025-08-04.html", admin)
	policy := page.Header.Get("Content-Security-Policy")
	if page.Status != http.StatusOK || strings.Count(page.Text, "<rect") != 6 || !strings.Contains(page.Text, "50.0 %") {
		t.Errorf("the page is %d %s", page.Status, page.Text)
	}
	for _, want := range []string{"<td>75.2 %</td><td>80.5 %</td><td>-5.2 points</td>", "<td>Short talk</td><td>3</td><td>2</td>", "&lt;b&gt;endTime&lt;/b&gt;: 2"} {
		if !strings.Contains(page.Text, want) {
			t.Errorf("the page lacks %q: %s", want, page.Text)
		}
	}
	if strings.Contains(page.Text, "<script") || !strings.Contains(page.Text, "&lt;script&gt;") {
		t.Errorf("a value is not escaped: %s", page.Text)
	}
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	api, admin, user := start(t)
	for _, c := range []struct {
		path, token string
		status      int
		want        string
	}{
		{route, "", http.StatusUnauthorized, ""},
		{route, user, http.StatusForbidden, ""},
		{route + "/2025-08-04.html", user, http.StatusForbidden, ""},
		{route + "/2020-01-06", admin, http.StatusNotFound, "generate weekly reports"},
		{route + "/yesterday", admin, http.StatusBadRequest, "YYYY-MM-DD"},
		{route + "/2025-08-04.pdf", admin, http.StatusBadRequest, "use .json, .csv or .html"},
		{route + "?limit=0", admin, http.StatusBadRequest, "1 to 520"},
	} {
		if reply := api.Get(t, c.path, c.token); reply.Status != c.status || !strings.Contains(reply.Text, c.want) {
			t.Errorf("%s: %d %s", c.path, reply.Status, reply.Text)
		}
	}
}
