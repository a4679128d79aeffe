package reports_test

import (
	"net/http"
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

func start(t *testing.T) (api *apitest.API, admin, user string) {
	t.Helper()
	db := mongotest.Database(t)
	for _, d := range []bson.D{
		document("2025-07-28", 4, "Asia/Ho_Chi_Minh"), document("2025-08-04", 6, "<script>alert(1)</script>"), document("2025-08-11", "many", "=cmd()"),
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
	if unreadable, _ := byHand.At("report", "unreadable").([]any); len(unreadable) != 1 || unreadable[0] != "examsCompleted" {
		t.Errorf("the report is %d %s", byHand.Status, byHand.Text)
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
	if page.Status != http.StatusOK || strings.Count(page.Text, "<rect") != 4 || !strings.Contains(page.Text, "50.0 %") {
		t.Errorf("the page is %d %s", page.Status, page.Text)
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
