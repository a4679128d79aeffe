package auth_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

const usersRoute = "/api/system/users/"

// nodeToken is one that the Node backend issued; role "" = a refresh token.
func nodeToken(t *testing.T, secret, id, role string, at time.Time) string {
	t.Helper()
	claims := jwt.MapClaims{"id": id, "email": "an@example.com", "iat": at.Unix(), "exp": at.Add(time.Hour).Unix()}
	if role != "" {
		claims["role"] = role
	}
	return sign(t, jwt.SigningMethodHS256, []byte(secret), claims)
}

// TestAllSessionsEnd by each of the ways: in the replica that did it at once, in
// the other after two seconds; and a login after that is good everywhere at once.
func TestAllSessionsEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end func(t *testing.T, api *apitest.API, admin string, user apitest.Reply)
	}{
		"by oneself": {func(t *testing.T, api *apitest.API, _ string, user apitest.Reply) {
			t.Helper()
			reply := api.Post(t, logoutRoute, text(user.JSON["token"]), map[string]any{"everywhere": true})
			wantStatus(t, "logout everywhere", reply, http.StatusOK)
			if reply.JSON["message"] != "Logged out everywhere" {
				t.Errorf("message = %v", reply.JSON["message"])
			}
		}},
		"by an administrator, by address": {func(t *testing.T, api *apitest.API, admin string, user apitest.Reply) {
			t.Helper()
			reply := api.Do(t, apitest.Request{Method: http.MethodDelete, Path: usersRoute + "an@example.com/sessions", Token: admin})
			wantStatus(t, "end of all sessions", reply, http.StatusOK)
			if reply.JSON["userId"] != user.At("user", "_id") || reply.JSON["email"] != "an@example.com" {
				t.Errorf("body = %s", reply.Text)
			}
		}},
		"by an administrator, by id": {func(t *testing.T, api *apitest.API, admin string, user apitest.Reply) {
			t.Helper()
			id := text(user.At("user", "_id"))
			wantStatus(t, "end of all sessions", api.Do(t, apitest.Request{Method: http.MethodDelete, Path: usersRoute + id + "/sessions", Token: admin}), http.StatusOK)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, clock := mongotest.Database(t), newHands()
			a, b := apitest.Start(t, db, apitest.Options{Now: clock.now}), apitest.Start(t, db, apitest.Options{Now: clock.now})
			admin := a.Token(t, "admin@example.com")
			one, two := a.Login(t, "an@example.com"), b.Login(t, "an@example.com")
			id := text(one.At("user", "_id"))
			access, legacy := nodeToken(t, apitest.AccessSecret, id, "USER", clock.now()), nodeToken(t, apitest.RefreshSecret, id, "", clock.now())
			asked := func(api *apitest.API, token string, want int, when string) {
				t.Helper()
				// An account that may not administer is known all the same.
				wantStatus(t, when, api.Get(t, adminRoute, token), want)
			}
			for _, token := range []string{text(one.JSON["token"]), text(two.JSON["token"]), access} {
				asked(a, token, http.StatusForbidden, "before")
				asked(b, token, http.StatusForbidden, "before, at the other replica")
			}
			test.end(t, a, admin, one)
			again := a.Login(t, "an@example.com")
			asked(b, text(again.JSON["token"]), http.StatusForbidden, "a login after that, at once at the other replica")
			clock.wait(believed)
			for _, token := range []string{text(one.JSON["token"]), text(two.JSON["token"]), access} {
				asked(a, token, http.StatusUnauthorized, "after that")
				asked(b, token, http.StatusUnauthorized, "after that, at the other replica")
			}
			for _, token := range []string{text(one.JSON["refreshToken"]), text(two.JSON["refreshToken"]), legacy} {
				wantStatus(t, "refresh after that", refresh(t, b, token), http.StatusUnauthorized)
			}
			wantStatus(t, "refresh of a login after that", refresh(t, b, text(again.JSON["refreshToken"])), http.StatusOK)
			asked(b, admin, http.StatusOK, "somebody else")
			fresh := nodeToken(t, apitest.AccessSecret, id, "USER", clock.now())
			asked(a, fresh, http.StatusForbidden, "a token that Node issues after that")
			if user, _ := again.JSON["user"].(map[string]any); user["sessionStamp"] != nil {
				t.Errorf("the profile shows the stamp: %v", user)
			}
		})
	}
}

// TestAPasswordThatNodeChangesEndsTheSessions, of our tokens.
func TestAPasswordThatNodeChangesEndsTheSessions(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), newHands()
	a, b := apitest.Start(t, db, apitest.Options{Now: clock.now}), apitest.Start(t, db, apitest.Options{Now: clock.now})
	for _, endedBefore := range []bool{false, true} { // the stamp is made from the hash, or stored
		login := a.Login(t, "an@example.com")
		if endedBefore {
			wantStatus(t, "logout everywhere", a.Post(t, logoutRoute, text(login.JSON["token"]), map[string]any{"everywhere": true}), http.StatusOK)
			login = a.Login(t, "an@example.com")
		}
		wantStatus(t, "before", b.Get(t, adminRoute, text(login.JSON["token"])), http.StatusOK)
		if _, err := db.Collection(authmongo.UsersCollection).UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"password": hash(t, apitest.Password)}}); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "refresh", refresh(t, a, text(login.JSON["refreshToken"])), http.StatusUnauthorized)
		again := a.Login(t, "an@example.com")
		wantStatus(t, "a login after that, at once at the other replica", b.Get(t, adminRoute, text(again.JSON["token"])), http.StatusOK)
		clock.wait(believed)
		wantStatus(t, "access token", b.Get(t, adminRoute, text(login.JSON["token"])), http.StatusUnauthorized)
		wantStatus(t, "refresh of a login after that", refresh(t, b, text(again.JSON["refreshToken"])), http.StatusOK)
	}
}

// TestAHashOfAnotherCostEndsNoSession: the password is the same.
func TestAHashOfAnotherCostEndsNoSession(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), newHands()
	cheap := apitest.Start(t, db, apitest.Options{Now: clock.now})
	dear := apitest.Start(t, db, apitest.Options{Now: clock.now, PasswordCost: bcrypt.MinCost + 1})
	before := cheap.Login(t, "an@example.com")
	dear.Login(t, "an@example.com") // makes the hash anew
	clock.wait(believed)
	for _, api := range []*apitest.API{cheap, dear} {
		wantStatus(t, "access token", api.Get(t, adminRoute, text(before.JSON["token"])), http.StatusOK)
	}
	wantStatus(t, "refresh", refresh(t, dear, text(before.JSON["refreshToken"])), http.StatusOK)
}

func TestWhoMayEndSessions(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	admin, user := api.Token(t, "admin@example.com"), api.Token(t, "an@example.com")
	end := func(name, token string) apitest.Reply {
		t.Helper()
		return api.Do(t, apitest.Request{Method: http.MethodDelete, Path: usersRoute + name + "/sessions", Token: token})
	}
	wantStatus(t, "nobody", end("an@example.com", ""), http.StatusUnauthorized)
	wantStatus(t, "a user", end("an@example.com", user), http.StatusForbidden)
	for _, name := range []string{"nobody@example.com", "x", "000000000000000000000000"} {
		if reply := end(name, admin); reply.Status != http.StatusNotFound || reply.JSON["error"] != "User not found" {
			t.Errorf("sessions of %s: %d %s", name, reply.Status, reply.Text)
		}
	}
	wantStatus(t, "the user after that", api.Get(t, adminRoute, user), http.StatusForbidden)

	for body, want := range map[string]int{
		`{"everywhere":1}`: 400, `{"everywhere":"yes"}`: 400, `[]`: 400,
		`{"everywhere":false}`: 200, `{"everywhere":null}`: 200, `{}`: 200, `{"Everywhere":true}`: 200,
	} {
		one, other := api.Token(t, "an@example.com"), api.Token(t, "an@example.com")
		wantStatus(t, "logout with "+body, api.Post(t, logoutRoute, one, body), want)
		wantStatus(t, "another session after that", api.Get(t, adminRoute, other), http.StatusForbidden)
	}
}

// TestSessionsEndBesideLogins: whatever logs in while all sessions end, what began
// before that is over, and the newest login is good.
func TestSessionsEndBesideLogins(t *testing.T) {
	t.Parallel()
	clock := newHands()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: clock.now})
	before := api.Login(t, "an@example.com")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if i%4 == 0 {
				api.Post(t, logoutRoute, text(before.JSON["token"]), map[string]any{"everywhere": true})
				return
			}
			api.Login(t, "an@example.com")
		})
	}
	all.Wait()
	clock.wait(believed)
	wantStatus(t, "what began before", api.Get(t, adminRoute, text(before.JSON["token"])), http.StatusUnauthorized)
	wantStatus(t, "a login after", api.Get(t, adminRoute, api.Token(t, "an@example.com")), http.StatusOK)
}

// TestTheFirstLoginWithGoogleRemovesAPassword that somebody set who may not own
// the address; one that is set after it stays.
func TestTheFirstLoginWithGoogleRemovesAPassword(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{Auth: []auth.Option{google(t)}})
	api.Login(t, "first@example.com")
	thief := api.Login(t, "an@gmail.com")
	comeIn := func() apitest.Reply {
		t.Helper()
		reply := api.Post(t, "/api/auth/google", "", `{"token":"an"}`)
		wantStatus(t, "login with Google", reply, http.StatusOK)
		return reply
	}
	owner := comeIn()
	wantStatus(t, "the session of who registered it", refresh(t, api, text(thief.JSON["refreshToken"])), http.StatusUnauthorized)
	wantStatus(t, "its access token", api.Get(t, adminRoute, text(thief.JSON["token"])), http.StatusUnauthorized)
	wantStatus(t, "the access token of the owner", api.Get(t, adminRoute, text(owner.JSON["token"])), http.StatusForbidden)
	login := func(want int) apitest.Reply {
		t.Helper()
		reply := api.Post(t, "/api/auth/login", "", map[string]any{"email": "an@gmail.com", "password": apitest.Password})
		wantStatus(t, "login with the password", reply, want)
		return reply
	}
	login(http.StatusUnauthorized)
	users := db.Collection(authmongo.UsersCollection)
	var stored bson.M
	if err := users.FindOne(t.Context(), bson.M{"email": "an@gmail.com"}).Decode(&stored); err != nil {
		t.Fatal(err)
	}
	if _, there := stored["password"]; there || stored["registrationMethod"] != "GOOGLE" { // which mongoose saves
		t.Errorf("stored %v", stored)
	}
	// The owner sets one, by Node.
	if _, err := users.UpdateOne(t.Context(), bson.M{"email": "an@gmail.com"}, bson.M{"$set": bson.M{"password": hash(t, apitest.Password), "registrationMethod": "EMAIL"}}); err != nil {
		t.Fatal(err)
	}
	comeIn()
	if user, _ := login(http.StatusOK).JSON["user"].(map[string]any); user["emailVerifiedAt"] != nil {
		t.Errorf("the profile shows when the address was verified: %v", user)
	}
}
