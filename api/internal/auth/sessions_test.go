package auth_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

const (
	adminRoute   = "/api/system/jobs/stats"
	logoutRoute  = "/api/auth/logout"
	refreshRoute = "/api/auth/refresh"
)

func text(value any) string {
	s, _ := value.(string)
	return s
}

func refresh(t *testing.T, api *apitest.API, token string) apitest.Reply {
	t.Helper()
	return api.Post(t, refreshRoute, "", map[string]any{"refreshToken": token})
}

func wantStatus(t *testing.T, what string, reply apitest.Reply, want int) {
	t.Helper()
	if reply.Status != want {
		t.Errorf("%s: %d, want %d: %s", what, reply.Status, want, reply.Text)
	}
}

func TestRefreshTokensWorkOnce(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), newHands()
	a, b := apitest.Start(t, db, apitest.Options{Now: clock.now}), apitest.Start(t, db, apitest.Options{Now: clock.now})
	login := a.Login(t, "an@example.com")
	first := refresh(t, b, text(login.JSON["refreshToken"]))
	wantStatus(t, "first refresh", first, http.StatusOK)
	second := refresh(t, a, text(first.JSON["refreshToken"]))
	wantStatus(t, "refresh with the new token", second, http.StatusOK)
	token := text(second.JSON["token"])
	wantStatus(t, "use of the new access token", a.Get(t, adminRoute, token), http.StatusOK)

	clock.wait(auth.RefreshGrace + time.Millisecond)
	reused := refresh(t, b, text(first.JSON["refreshToken"]))
	wantStatus(t, "refresh with a used token", reused, http.StatusUnauthorized)
	if reused.JSON["error"] != "Invalid or expired refresh token" {
		t.Errorf("error = %v", reused.JSON["error"])
	}
	wantStatus(t, "refresh with the newest token after that", refresh(t, a, text(second.JSON["refreshToken"])), http.StatusUnauthorized)
	wantStatus(t, "access token after that, where it was noticed", b.Get(t, adminRoute, token), http.StatusUnauthorized)
	clock.wait(believed)
	wantStatus(t, "access token after that, at the other replica", a.Get(t, adminRoute, token), http.StatusUnauthorized)
	wantStatus(t, "another login", a.Get(t, adminRoute, a.Token(t, "an@example.com")), http.StatusOK)
}

// TestRefreshAtOnceAtTwoReplicas: an app whose requests meet an expired token
// together asks several times, and gets one pair.
func TestRefreshAtOnceAtTwoReplicas(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	replicas := []*apitest.API{apitest.Start(t, db, apitest.Options{}), apitest.Start(t, db, apitest.Options{})}
	token := text(replicas[0].Login(t, "an@example.com").JSON["refreshToken"])
	var all sync.WaitGroup
	replies := make(chan apitest.Reply, 8)
	for i := range cap(replies) {
		all.Go(func() { replies <- refresh(t, replicas[i%2], token) })
	}
	all.Wait()
	close(replies)
	first := <-replies
	wantStatus(t, "a refresh", first, http.StatusOK)
	for reply := range replies {
		if reply.Status != http.StatusOK || reply.Text != first.Text {
			t.Errorf("%d %s, want the pair of the others: %s", reply.Status, reply.Text, first.Text)
		}
	}
	wantStatus(t, "the access token of all", replicas[1].Get(t, adminRoute, text(first.JSON["token"])), http.StatusOK)
	wantStatus(t, "the refresh token of all", refresh(t, replicas[1], text(first.JSON["refreshToken"])), http.StatusOK)
}

// TestALostAnswerIsGivenAgain for 30 seconds, also when its refresh token has been
// used in the meantime.
func TestALostAnswerIsGivenAgain(t *testing.T) {
	t.Parallel()
	clock := newHands()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: clock.now})
	used := text(api.Login(t, "an@example.com").JSON["refreshToken"])
	clock.wait(time.Minute)
	lost := refresh(t, api, used)
	wantStatus(t, "refresh", lost, http.StatusOK)
	clock.wait(20 * time.Second)
	again := refresh(t, api, used)
	if again.Status != http.StatusOK || again.Text != lost.Text {
		t.Errorf("after 20 seconds: %d %s, want %s", again.Status, again.Text, lost.Text)
	}
	next := refresh(t, api, text(again.JSON["refreshToken"]))
	wantStatus(t, "refresh with what came again", next, http.StatusOK)
	clock.wait(10 * time.Second)
	if late := refresh(t, api, used); late.Status != http.StatusOK || late.Text != lost.Text {
		t.Errorf("after 30 seconds: %d %s, want %s", late.Status, late.Text, lost.Text)
	}
	clock.wait(time.Millisecond)
	wantStatus(t, "after that", refresh(t, api, used), http.StatusUnauthorized)
	wantStatus(t, "the newest refresh token then", refresh(t, api, text(next.JSON["refreshToken"])), http.StatusUnauthorized)
	wantStatus(t, "the access token then", api.Get(t, adminRoute, text(next.JSON["token"])), http.StatusUnauthorized)
}

// TestALostAnswerIsNotGivenAfterALogout of the session.
func TestALostAnswerIsNotGivenAfterALogout(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	used := text(api.Login(t, "an@example.com").JSON["refreshToken"])
	next := refresh(t, api, used)
	wantStatus(t, "logout", api.Post(t, logoutRoute, text(next.JSON["token"]), nil), http.StatusOK)
	wantStatus(t, "refresh with the replaced token", refresh(t, api, used), http.StatusUnauthorized)
}

// TestASessionHasAGreatestAge, however often it is refreshed.
func TestASessionHasAGreatestAge(t *testing.T) {
	t.Parallel()
	clock := newHands()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: clock.now, SessionLifetime: 10 * 24 * time.Hour})
	pair := api.Login(t, "an@example.com")
	for range 2 {
		clock.wait(5*24*time.Hour - 15*time.Minute)
		pair = refresh(t, api, text(pair.JSON["refreshToken"]))
		wantStatus(t, "refresh within the greatest age", pair, http.StatusOK)
	}
	clock.wait(29 * time.Minute)
	wantStatus(t, "access token just before the end", api.Get(t, adminRoute, text(pair.JSON["token"])), http.StatusOK)
	pair = refresh(t, api, text(pair.JSON["refreshToken"]))
	wantStatus(t, "refresh just before the end", pair, http.StatusOK)
	clock.wait(2 * time.Minute)
	wantStatus(t, "access token after the end", api.Get(t, adminRoute, text(pair.JSON["token"])), http.StatusUnauthorized)
	wantStatus(t, "refresh after the end", refresh(t, api, text(pair.JSON["refreshToken"])), http.StatusUnauthorized)
}

func TestLogoutEndsTheSessionEverywhere(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), newHands()
	a, b := apitest.Start(t, db, apitest.Options{Now: clock.now}), apitest.Start(t, db, apitest.Options{Now: clock.now})
	login, other := a.Login(t, "an@example.com"), a.Login(t, "an@example.com")
	token := text(login.JSON["token"])
	wantStatus(t, "before", a.Get(t, adminRoute, token), http.StatusOK)
	wantStatus(t, "before, at the other replica", b.Get(t, adminRoute, token), http.StatusOK)

	reply := a.Post(t, logoutRoute, token, nil)
	wantStatus(t, "logout", reply, http.StatusOK)
	if reply.JSON["message"] != "Logged out successfully" {
		t.Errorf("message = %v", reply.JSON["message"])
	}
	wantStatus(t, "access token after that, where the logout was", a.Get(t, adminRoute, token), http.StatusUnauthorized)
	clock.wait(believed)
	refused := b.Get(t, adminRoute, token)
	wantStatus(t, "access token after that", refused, http.StatusUnauthorized)
	if refused.JSON["error"] != "Token expired" || refused.JSON["message"] != "Token expired: log in again" {
		t.Errorf("body = %s", refused.Text)
	}
	wantStatus(t, "second logout", b.Post(t, logoutRoute, token, nil), http.StatusUnauthorized)
	wantStatus(t, "refresh after that", refresh(t, b, text(login.JSON["refreshToken"])), http.StatusUnauthorized)

	wantStatus(t, "another session's access token", b.Get(t, adminRoute, text(other.JSON["token"])), http.StatusOK)
	wantStatus(t, "another session's refresh", refresh(t, b, text(other.JSON["refreshToken"])), http.StatusOK)
	user := a.Login(t, "an@example.com").JSON["user"].(map[string]any)
	if _, shown := user["lastLogoutAt"]; shown {
		t.Error("the profile shows lastLogoutAt")
	}
}

func TestRoleIsLookedUp(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), newHands()
	api := apitest.Start(t, db, apitest.Options{Now: clock.now})
	admin, user := api.Token(t, "admin@example.com"), api.Token(t, "user@example.com")
	users := db.Collection(authmongo.UsersCollection)
	change := func(email, role string) {
		if _, err := users.UpdateOne(t.Context(), bson.M{"email": email}, bson.M{"$set": bson.M{"role": role}}); err != nil {
			t.Fatal(err)
		}
		clock.wait(believed)
	}
	forbidden := api.Get(t, adminRoute, user)
	wantStatus(t, "user", forbidden, http.StatusForbidden)
	if forbidden.JSON["error"] != "Forbidden" || forbidden.JSON["message"] != "Forbidden: this needs the role ADMIN, and your account has the role USER" {
		t.Errorf("body = %s", forbidden.Text)
	}
	change("user@example.com", "ADMIN")
	wantStatus(t, "user who became administrator", api.Get(t, adminRoute, user), http.StatusOK)
	change("admin@example.com", "USER")
	wantStatus(t, "administrator who is one no more", api.Get(t, adminRoute, admin), http.StatusForbidden)

	pair := api.Login(t, "user@example.com")
	if _, err := users.DeleteOne(t.Context(), bson.M{"email": "user@example.com"}); err != nil {
		t.Fatal(err)
	}
	clock.wait(believed)
	gone := api.Get(t, adminRoute, user)
	wantStatus(t, "deleted user at an admin route", gone, http.StatusNotFound)
	if gone.JSON["message"] != "User not found" {
		t.Errorf("body = %s", gone.Text)
	}
	wantStatus(t, "deleted user at a login route", api.Post(t, logoutRoute, user, nil), http.StatusUnauthorized)
	noUser := refresh(t, api, text(pair.JSON["refreshToken"]))
	wantStatus(t, "refresh of a deleted user", noUser, http.StatusUnauthorized)
	if noUser.JSON["error"] != "Invalid refresh token" {
		t.Errorf("body = %s", noUser.Text)
	}
}

// sign makes a token.
func sign(t *testing.T, method jwt.SigningMethod, secret any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	login := api.Login(t, "an@example.com")
	id, good := text(login.At("user", "_id")), text(login.JSON["token"])
	access := func(change jwt.MapClaims) jwt.MapClaims {
		claims := jwt.MapClaims{
			"id": id, "email": "an@example.com", "role": "ADMIN", "type": "access", "sid": "s", "jti": "j",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		}
		for key, value := range change {
			if value == nil {
				delete(claims, key)
				continue
			}
			claims[key] = value
		}
		return claims
	}
	hs256 := func(change jwt.MapClaims) string {
		return "Bearer " + sign(t, jwt.SigningMethodHS256, []byte(apitest.AccessSecret), access(change))
	}
	tests := map[string]struct {
		header string
		status int
		error  string
	}{
		"good":                        {"Bearer " + good, 200, ""},
		"scheme is not looked at":     {"Token " + good, 200, ""},
		"more after it":               {"Bearer " + good + " x", 200, ""},
		"made by hand":                {hs256(nil), 200, ""},
		"missing":                     {"", 401, "Access Denied"},
		"only a scheme":               {"Bearer", 401, "Invalid token"},
		"only a token":                {good, 401, "Invalid token"},
		"two spaces":                  {"Bearer  " + good, 401, "Invalid token"},
		"garbage":                     {"Bearer x.y.z", 401, "Invalid token"},
		"changed":                     {"Bearer " + good[:len(good)-6] + "AAAAAA", 401, "Invalid token"},
		"refresh token":               {"Bearer " + text(login.JSON["refreshToken"]), 401, "Invalid token"},
		"expired":                     {hs256(jwt.MapClaims{"exp": time.Now().Add(-time.Second).Unix()}), 401, "Token expired"},
		"without expiry":              {hs256(jwt.MapClaims{"exp": nil}), 401, "Invalid token"},
		"unknown type":                {hs256(jwt.MapClaims{"type": "reset"}), 401, "Invalid token"},
		"refresh by type":             {hs256(jwt.MapClaims{"type": "refresh"}), 401, "Invalid token"},
		"without session":             {hs256(jwt.MapClaims{"sid": nil}), 401, "Invalid token"},
		"without user":                {hs256(jwt.MapClaims{"id": nil}), 401, "Invalid token"},
		"operator as user":            {hs256(jwt.MapClaims{"id": map[string]any{"$gt": ""}}), 401, "Invalid token"},
		"other secret":                {"Bearer " + sign(t, jwt.SigningMethodHS256, []byte(apitest.RefreshSecret), access(nil)), 401, "Invalid token"},
		"HS512":                       {"Bearer " + sign(t, jwt.SigningMethodHS512, []byte(apitest.AccessSecret), access(nil)), 401, "Invalid token"},
		"unsigned":                    {"Bearer " + sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, access(nil)), 401, "Invalid token"},
		"unsigned, by another case":   {"Bearer " + forged(t, `{"alg":"nOnE","typ":"JWT"}`, good, ""), 401, "Invalid token"},
		"unsigned, said to be HS256":  {"Bearer " + forged(t, `{"alg":"HS256","typ":"JWT"}`, good, ""), 401, "Invalid token"},
		"signature of another header": {"Bearer " + forged(t, `{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}`, good, good), 401, "Invalid token"},
		"key in the header":           {"Bearer " + forged(t, `{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}`, good, good), 401, "Invalid token"},
		"RS256":                       {"Bearer " + forged(t, `{"alg":"RS256","typ":"JWT"}`, good, good), 401, "Invalid token"},
		"no algorithm":                {"Bearer " + forged(t, `{"typ":"JWT"}`, good, good), 401, "Invalid token"},
		"unknown user":                {hs256(jwt.MapClaims{"id": strings.Repeat("0", 24)}), 404, "User not found"},
		"no id of a user":             {hs256(jwt.MapClaims{"id": "x"}), 404, "User not found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := apitest.Request{Path: adminRoute, Header: map[string]string{}}
			if test.header != "" {
				request.Header["Authorization"] = test.header
			}
			reply := api.Do(t, request)
			if reply.Status != test.status || text(reply.JSON["error"]) != test.error {
				t.Errorf("%d %s, want %d %q", reply.Status, reply.Text, test.status, test.error)
			}
			if reply.Status == 401 && (reply.Header.Get("WWW-Authenticate") != "Bearer" || !strings.HasPrefix(text(reply.JSON["message"]), test.error)) {
				t.Errorf("WWW-Authenticate = %q, message = %q", reply.Header.Get("WWW-Authenticate"), reply.JSON["message"])
			}
		})
	}
}

// forged puts another header before the content of a token, and the signature
// of a token, or none, behind it.
func forged(t *testing.T, header, token, signed string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", token)
	}
	signature := ""
	if signed != "" {
		signature = strings.Split(signed, ".")[2]
	}
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "." + signature
}

// TestTokensOfTheNodeBackend uses tokens without a type: an access token has a
// role, a refresh token has none.
func TestTokensOfTheNodeBackend(t *testing.T) {
	t.Parallel()
	for name, secrets := range map[string]struct{ node, ours int }{
		"two secrets": {2, 2}, "one secret": {1, 1}, "one secret of Node, two of ours": {1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newHands()
			api := apitest.Start(t, mongotest.Database(t), apitest.Options{OneSecret: secrets.ours == 1, Now: clock.now})
			id := text(api.Login(t, "an@example.com").At("user", "_id"))
			secret := []byte(apitest.AccessSecret)
			access := sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{
				"id": id, "email": "an@example.com", "role": "ADMIN", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
			})
			if secrets.node == 2 {
				secret = []byte(apitest.RefreshSecret)
			}
			old := sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{
				"id": id, "email": "an@example.com", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
			})
			wantStatus(t, "old access token", api.Get(t, adminRoute, access), http.StatusOK)
			wantStatus(t, "old refresh token as an access token", api.Get(t, adminRoute, old), http.StatusUnauthorized)
			wantStatus(t, "old access token as a refresh token", refresh(t, api, access), http.StatusUnauthorized)

			ours := api.Login(t, "an@example.com")
			wantStatus(t, "our refresh token as an access token", api.Get(t, adminRoute, text(ours.JSON["refreshToken"])), http.StatusUnauthorized)
			wantStatus(t, "our access token as a refresh token", refresh(t, api, text(ours.JSON["token"])), http.StatusUnauthorized)

			pair := refresh(t, api, old)
			wantStatus(t, "old refresh token", pair, http.StatusOK)
			wantStatus(t, "its access token", api.Get(t, adminRoute, text(pair.JSON["token"])), http.StatusOK)
			wantStatus(t, "its refresh token", refresh(t, api, text(pair.JSON["refreshToken"])), http.StatusOK)
			clock.wait(auth.RefreshGrace + time.Millisecond)
			wantStatus(t, "its refresh token again", refresh(t, api, text(pair.JSON["refreshToken"])), http.StatusUnauthorized)
			wantStatus(t, "old refresh token again", refresh(t, api, old), http.StatusOK)

			wantStatus(t, "logout with the old access token", api.Post(t, logoutRoute, access, nil), http.StatusOK)
			for _, spelling := range spellings(access) {
				wantStatus(t, "old access token after that", api.Get(t, adminRoute, spelling), http.StatusUnauthorized)
			}
		})
	}
}

// spellings writes the signature of a token, 32 bytes in 43 signs, in each way
// that decodes to the same bytes: the last sign has two bits to spare.
func spellings(token string) []string {
	const signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	used := strings.IndexByte(signs, token[last]) &^ 3
	all := make([]string, 4)
	for spare := range all {
		all[spare] = token[:last] + signs[used+spare:][:1]
	}
	return all
}

// TestWhatTokensHold decodes the tokens of a login: nothing more is in them,
// and Node reads id, email and role.
func TestWhatTokensHold(t *testing.T) {
	t.Parallel()
	clock := newHands()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: clock.now})
	login := api.Login(t, "an@example.com")
	decode := func(field, secret string) jwt.MapClaims {
		t.Helper()
		held := jwt.MapClaims{}
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithStrictDecoding())
		if _, err := parser.ParseWithClaims(text(login.JSON[field]), held, func(*jwt.Token) (any, error) { return []byte(secret), nil }); err != nil {
			t.Fatalf("%s: %v", field, err)
		}
		return held
	}
	access, refresh := decode("token", apitest.AccessSecret), decode("refreshToken", apitest.RefreshSecret)
	for _, name := range []string{"sid", "jti", "stamp"} {
		if text(access[name]) == "" || text(refresh[name]) == "" {
			t.Errorf("%s = %v and %v", name, access[name], refresh[name])
		}
	}
	if access["jti"] == refresh["jti"] || access["sid"] != refresh["sid"] {
		t.Errorf("jti = %v and %v, want two; sid = %v and %v, want one", access["jti"], refresh["jti"], access["sid"], refresh["sid"])
	}
	id, now := login.At("user", "_id"), clock.now()
	for _, test := range []struct {
		held     jwt.MapClaims
		lifetime time.Duration
		want     jwt.MapClaims
	}{
		{access, time.Hour, jwt.MapClaims{"id": id, "email": "an@example.com", "role": "ADMIN", "type": "access"}},
		{refresh, 7 * 24 * time.Hour, jwt.MapClaims{"id": id, "email": "an@example.com", "type": "refresh", "auth_time": float64(now.Unix())}},
	} {
		test.want["stamp"] = test.held["stamp"]
		test.want["sid"], test.want["jti"] = test.held["sid"], test.held["jti"]
		test.want["iat"], test.want["exp"] = float64(now.Unix()), float64(now.Add(test.lifetime).Unix())
		if diff := cmp.Diff(test.want, test.held); diff != "" {
			t.Errorf("%s token (-want +got):\n%s", test.want["type"], diff)
		}
	}
}

// TestTokensExpire moves the clock.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	clock := newHands()
	wait := clock.wait
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: clock.now})
	login := api.Login(t, "an@example.com")
	wait(59 * time.Minute)
	wantStatus(t, "access token after 59 minutes", api.Get(t, adminRoute, text(login.JSON["token"])), http.StatusOK)
	wait(2 * time.Minute)
	wantStatus(t, "access token after 61 minutes", api.Get(t, adminRoute, text(login.JSON["token"])), http.StatusUnauthorized)
	wait(6 * 24 * time.Hour)
	next := refresh(t, api, text(login.JSON["refreshToken"]))
	wantStatus(t, "refresh token after six days", next, http.StatusOK)
	wait(8 * 24 * time.Hour)
	wantStatus(t, "refresh token after eight days", refresh(t, api, text(next.JSON["refreshToken"])), http.StatusUnauthorized)
}
