package auth_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestFieldsThatAreNotAsked: what a registration may not set is ignored, in
// every form of the body.
func TestFieldsThatAreNotAsked(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	api.Login(t, "first@example.com") // the first account is an administrator's
	const id = "000000000000000000000001"
	for email, test := range map[string]struct{ body, contentType string }{
		"json@example.com":   {`{"name":"An","email":"json@example.com","password":"correct horse","role":"ADMIN","Role":"ADMIN","isAdmin":true,"_id":"` + id + `","registrationMethod":"GOOGLE","level":9,"__v":7,"expoPushToken":"x","lastLogoutAt":"2099-01-01T00:00:00Z"}`, "application/json"},
		"proto@example.com":  {`{"name":"An","email":"proto@example.com","password":"correct horse","__proto__":{"role":"ADMIN"},"constructor":{"prototype":{"role":"ADMIN"}},"$set":{"role":"ADMIN"}}`, "application/json"},
		"twice@example.com":  {`{"role":"USER","name":"An","email":"twice@example.com","password":"correct horse","role":"ADMIN"}`, "application/json"},
		"form@example.com":   {`name=An&email=form@example.com&password=correct horse&role=ADMIN&user[role]=ADMIN&_id=` + id, form},
		"nested@example.com": {`{"name":"An","email":"nested@example.com","password":"correct horse","user":{"role":"ADMIN"}}`, "application/json"},
	} {
		reply := api.Do(t, apitest.Request{Method: http.MethodPost, Path: "/api/auth/register?role=ADMIN", Body: test.body, Header: map[string]string{"Content-Type": test.contentType}})
		wantStatus(t, email, reply, http.StatusCreated)
		var stored bson.M
		if err := db.Collection(authmongo.UsersCollection).FindOne(t.Context(), bson.M{"email": email}).Decode(&stored); err != nil {
			t.Fatal(err)
		}
		if stored["_id"].(bson.ObjectID).Hex() == id {
			t.Errorf("%s: the id was chosen", email)
		}
		got := map[string]any{}
		for _, key := range []string{"role", "registrationMethod", "level", "__v", "expoPushToken", "lastLogoutAt", "isAdmin", "user", "__proto__", "$set"} {
			got[key] = stored[key]
		}
		want := map[string]any{
			"role": "USER", "registrationMethod": "EMAIL", "level": int32(0), "__v": int32(0), "expoPushToken": nil,
			"lastLogoutAt": nil, "isAdmin": nil, "user": nil, "__proto__": nil, "$set": nil,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", email, diff)
		}
		login := api.Post(t, "/api/auth/login", "", map[string]any{"email": email, "password": apitest.Password, "role": "ADMIN"})
		if login.JSON["isAdmin"] != false {
			t.Errorf("%s: login says %s", email, login.Text)
		}
		wantStatus(t, "an administrator's route for "+email, api.Get(t, adminRoute, text(login.JSON["token"])), http.StatusForbidden)
	}
}
