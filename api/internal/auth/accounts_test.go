package auth_test

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

const form = "application/x-www-form-urlencoded"

func TestRegisterAndLoginRequests(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	api.Login(t, "taken@example.com")
	const register, login, refresh, logout = "/api/auth/register", "/api/auth/login", "/api/auth/refresh", "/api/auth/logout"
	tests := map[string]struct {
		path, contentType, body string
		status                  int
		error, message          string // "" = any
	}{
		"app":           {register, "", `{"name":"An","email":"app@example.com","phone":"0901 234","password":"secret1"}`, 201, "", "Register successfully"},
		"app, no phone": {register, "", `{"name":"An","email":"app2@example.com","phone":"","password":"secret1"}`, 201, "", "Register successfully"},
		"other client":  {register, "", `{"fullName":"An","email":"other@example.com","phoneNumber":"+84 (0)9-1","password":"secret1","extra":[1]}`, 201, "", "Register successfully"},
		"form":          {register, form, `fullName=An&email=form@example.com&password=secret1`, 201, "", "Register successfully"},
		"without type":  {register, "none", `{"name":"An","email":"bare@example.com","password":"secret1"}`, 201, "", "Register successfully"},
		"taken":         {register, "", `{"name":"An","email":"taken@example.com","password":"secret1"}`, 400, "Email or phone already exists", "Email or phone already exists"},
		"nothing": {
			register, "", ``, 400, "Validation Error",
			`"email" is required, "password" is required, "fullName" is required`,
		},
		"all wrong": {
			register, "", `{"name":"A","email":"x","phone":"call me","password":"12345"}`, 400, "Validation Error",
			`"email" must be a valid email, "password" length must be at least 6 characters long, "name" length must be at least 2 characters long, "phone" may hold digits, spaces and + - ( ) only`,
		},
		"long password": {
			register, "", `{"name":"An","email":"long@example.com","password":"` + strings.Repeat("ă", 129) + `"}`, 400, "Validation Error",
			`"password" length must be less than or equal to 128 characters long`,
		},
		"long phone": {
			register, "", `{"name":"An","email":"phone@example.com","phone":"` + strings.Repeat("0", 33) + `","password":"secret1"}`, 400, "Validation Error",
			`"phone" length must be less than or equal to 32 characters long`,
		},
		"operator as email": {register, "", `{"name":"An","email":{"$gt":""},"password":"secret1"}`, 400, "Validation Error", `"email" must be a string, not an object`},
		"number as name":    {register, "", `{"name":7,"email":"n@example.com","password":"secret1"}`, 400, "Validation Error", `"name" must be a string, not a number`},
		"array":             {register, "", `[]`, 400, "Validation Error", "the body must be a JSON object, not an array; send {…}"},
		"malformed":         {register, "", `{"name":"An"`, 400, "Validation Error", "the body is malformed JSON at byte 12: unexpected end of JSON input"},
		"plain text":        {register, "text/plain", `x`, 400, "Validation Error", "the body has the Content-Type text/plain; send application/json"},
		"JSON as form":      {register, form, `{"name":"An"}`, 400, "Validation Error", "the body looks like JSON, but its Content-Type says that it is a form; send Content-Type: application/json"},

		"login":             {login, "", `{"email":"taken@example.com","password":"` + apitest.Password + `"}`, 200, "", ""},
		"login by form":     {login, form, `email=taken%40example.com&password=correct+horse`, 200, "", ""},
		"wrong password":    {login, "", `{"email":"taken@example.com","password":"secret2"}`, 401, "Invalid credentials", "Invalid credentials"},
		"unknown email":     {login, "", `{"email":"nobody@example.com","password":"secret1"}`, 401, "Invalid credentials", "Invalid credentials"},
		"case of an email":  {login, "", `{"email":"Taken@Example.COM","password":"` + apitest.Password + `"}`, 200, "", ""},
		"case, taken":       {register, "", `{"name":"An","email":"TAKEN@example.com","password":"secret1"}`, 400, "Email or phone already exists", "Email or phone already exists"},
		"case of a key":     {login, "", `{"EMAIL":"taken@example.com","PassWord":"` + apitest.Password + `"}`, 400, "Validation Error", `"email" is required, "password" is required`},
		"two keys":          {login, "", `{"email":"nobody@example.com","EMAIL":"taken@example.com","password":"` + apitest.Password + `"}`, 401, "Invalid credentials", "Invalid credentials"},
		"no password":       {login, "", `{"email":"taken@example.com"}`, 400, "Validation Error", `"password" is required`},
		"empty password":    {login, "", `{"email":"taken@example.com","password":""}`, 400, "Validation Error", `"password" is not allowed to be empty`},
		"operator for both": {login, "", `{"email":{"$ne":null},"password":{"$ne":null}}`, 400, "Validation Error", `"email" must be a string, not an object`},
		"operator by form":  {login, form, `email[$ne]=x&password[$ne]=x`, 400, "Validation Error", `"email" must be a string, not an object`},

		"no refresh token":    {refresh, "", `{}`, 400, "Refresh token is required", "Refresh token is required"},
		"empty refresh token": {refresh, "", `{"refreshToken":""}`, 400, "Refresh token is required", "Refresh token is required"},
		"null refresh token":  {refresh, "", `{"refreshToken":null}`, 400, "Refresh token is required", "Refresh token is required"},
		"odd refresh token":   {refresh, "", `{"refreshToken":{"$gt":""}}`, 401, "Invalid or expired refresh token", "Invalid or expired refresh token: log in again"},
		"bad refresh token":   {refresh, "", `{"refreshToken":"x.y.z"}`, 401, "Invalid or expired refresh token", "Invalid or expired refresh token: log in again"},

		"logout of nobody": {logout, "", ``, 401, "Access Denied", "Access Denied: log in, and send the header Authorization: Bearer <token>"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := apitest.Request{Method: http.MethodPost, Path: test.path, Body: test.body}
			switch test.contentType {
			case "none":
				request.Header = map[string]string{"Content-Type": ""}
			case "":
			default:
				request.Header = map[string]string{"Content-Type": test.contentType}
			}
			reply := api.Do(t, request)
			if reply.Status != test.status {
				t.Fatalf("status %d, want %d: %s", reply.Status, test.status, reply.Text)
			}
			if test.error != "" && reply.JSON["error"] != test.error {
				t.Errorf("error = %q, want %q", reply.JSON["error"], test.error)
			}
			if test.message != "" && reply.JSON["message"] != test.message {
				t.Errorf("message = %q, want %q", reply.JSON["message"], test.message)
			}
			if got := reply.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control = %q, want no-store", got)
			}
		})
	}
}

var (
	hexID   = regexp.MustCompile(`^[0-9a-f]{24}$`)
	instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

func TestUserIsShownAsTheNodeBackendShowsIt(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	reply := api.Post(t, "/api/auth/register", "", map[string]any{
		"name": "An", "fullName": "Ignored", "email": "an@example.com", "phone": "0901", "password": apitest.Password,
	})
	user, _ := reply.JSON["user"].(map[string]any)
	for key, form := range map[string]*regexp.Regexp{"_id": hexID, "createdAt": instant, "updatedAt": instant} {
		if text, _ := user[key].(string); !form.MatchString(text) {
			t.Errorf("%s = %v, want the form %s", key, user[key], form)
		}
		delete(user, key)
	}
	want := map[string]any{
		"name": "An", "email": "an@example.com", "phone": "0901", "avatarUrl": nil, "dateOfBirth": nil, "level": 0.0,
		"role": "ADMIN", "gender": "OTHER", "registrationMethod": "EMAIL", "expoPushToken": nil, "fcmToken": nil,
		"deviceInfo": map[string]any{"deviceId": nil, "platform": nil, "appVersion": nil}, "__v": 0.0,
	}
	if diff := cmp.Diff(want, user); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	login := api.Login(t, "an@example.com")
	if login.JSON["isAdmin"] != true || login.At("user", "email") != "an@example.com" || login.At("user", "password") != nil {
		t.Errorf("login = %s", login.Text)
	}
}

// node inserts an account as the Node backend stored it.
func node(t *testing.T, db *mongo.Database, fields bson.M) {
	t.Helper()
	if _, err := db.Collection(authmongo.UsersCollection).InsertOne(t.Context(), fields); err != nil {
		t.Fatal(err)
	}
}

func hash(t *testing.T, password string) string {
	t.Helper()
	text, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(text), "$2a$", "$2b$", 1)
}

func TestAccountsOfTheNodeBackend(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	node(t, db, bson.M{"name": "Old", "email": "old@example.com", "password": hash(t, "c3"), "role": "ADMIN", "streak": bson.M{"count": 3}, "__v": 2})
	node(t, db, bson.M{"name": "Google", "email": "google@example.com", "registrationMethod": "GOOGLE", "role": "USER"})
	node(t, db, bson.M{"name": "Null", "email": "null@example.com", "password": nil})

	reply := api.Post(t, "/api/auth/login", "", map[string]any{"email": "old@example.com", "password": "conversation=3"})
	if reply.Status != http.StatusOK || reply.JSON["isAdmin"] != true {
		t.Fatalf("login with a password that the sanitiser altered: %d %s", reply.Status, reply.Text)
	}
	user, _ := reply.JSON["user"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"count": 3.0}, user["streak"]); diff != "" {
		t.Errorf("a field that we do not know (-want +got):\n%s", diff)
	}
	if user["gender"] != "OTHER" || user["level"] != 0.0 || user["__v"] != 2.0 {
		t.Errorf("defaults of missing fields: %v", user)
	}
	for _, email := range []string{"google@example.com", "null@example.com"} {
		reply := api.Post(t, "/api/auth/login", "", map[string]any{"email": email, "password": "data and hash"})
		if reply.Status != http.StatusUnauthorized || reply.JSON["message"] != "Invalid credentials" {
			t.Errorf("login without a password of %s: %d %s", email, reply.Status, reply.Text)
		}
	}
	if reply := api.Login(t, "new@example.com"); reply.JSON["isAdmin"] != false {
		t.Errorf("a new account beside existing ones is an administrator: %s", reply.Text)
	}
	if n, err := db.Collection(authmongo.ClaimsCollection).CountDocuments(t.Context(), bson.D{}); err != nil || n != 0 {
		t.Errorf("claims = %d, %v, want none where accounts exist", n, err)
	}
}

// TestACheapHashIsReplaced at a login, by one of the same form of the password,
// which a Node process can check as well.
func TestACheapHashIsReplaced(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	const cost = bcrypt.MinCost + 1
	api := apitest.Start(t, db, apitest.Options{PasswordCost: cost})
	for email, test := range map[string]struct{ stored, password, hashed string }{
		"raw@example.com":     {hash(t, "conversation=3"), "conversation=3", "conversation=3"},
		"altered@example.com": {hash(t, "c3"), "conversation=3", "c3"},
	} {
		node(t, db, bson.M{"name": "Old", "email": email, "password": test.stored})
		login := func(password string, want int) string {
			t.Helper()
			wantStatus(t, "login of "+email, api.Post(t, "/api/auth/login", "", map[string]any{"email": email, "password": password}), want)
			var user struct{ Password string }
			if err := db.Collection(authmongo.UsersCollection).FindOne(t.Context(), bson.M{"email": email}).Decode(&user); err != nil {
				t.Fatal(err)
			}
			return user.Password
		}
		if login("wrong", http.StatusUnauthorized) != test.stored {
			t.Errorf("%s: a wrong password replaced the hash", email)
		}
		first := login(test.password, http.StatusOK)
		if got, err := bcrypt.Cost([]byte(first)); got != cost || err != nil || bcrypt.CompareHashAndPassword([]byte(first), []byte(test.hashed)) != nil {
			t.Errorf("%s: %q is stored, of cost %d (%v), want %d and the form %q", email, first, got, err, cost, test.hashed)
		}
		if login(test.password, http.StatusOK) != first {
			t.Errorf("%s: a hash of the right cost was replaced", email)
		}
	}
}

func TestPhoneOfAnotherAccountIsTaken(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	for i, test := range []struct {
		email, phone string
		want         int
	}{
		{"a@example.com", "0901", 201}, {"b@example.com", "0901", 400}, {"c@example.com", "", 201}, {"d@example.com", "", 201},
	} {
		reply := api.Post(t, "/api/auth/register", "", map[string]any{"name": "An", "email": test.email, "phone": test.phone, "password": "secret1"})
		if reply.Status != test.want {
			t.Errorf("registration %d: %d, want %d: %s", i, reply.Status, test.want, reply.Text)
		}
	}
}

// TestFirstAdministrator lets many register at once at two replicas.
func TestFirstAdministrator(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	replicas := []*apitest.API{apitest.Start(t, db, apitest.Options{}), apitest.Start(t, db, apitest.Options{})}
	var all sync.WaitGroup
	gate := make(chan struct{})
	for i := range 20 {
		all.Go(func() {
			<-gate
			email := string(rune('a'+i)) + "@example.com"
			reply := replicas[i%2].Post(t, "/api/auth/register", "", map[string]any{"name": "An", "email": email, "password": "secret1"})
			if reply.Status != http.StatusCreated {
				t.Errorf("registration of %s: %d %s", email, reply.Status, reply.Text)
			}
		})
	}
	close(gate)
	all.Wait()
	users := db.Collection(authmongo.UsersCollection)
	for role, want := range map[string]int64{"ADMIN": 1, "USER": 19} {
		if n, err := users.CountDocuments(t.Context(), bson.D{{Key: "role", Value: role}}); err != nil || n != want {
			t.Errorf("accounts with role %s = %d, %v, want %d", role, n, err, want)
		}
	}
}

// TestOneAddressAtOnce lets many register the same address at two replicas.
func TestOneAddressAtOnce(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	replicas := []*apitest.API{apitest.Start(t, db, apitest.Options{}), apitest.Start(t, db, apitest.Options{})}
	var all sync.WaitGroup
	statuses := make(chan int, 10)
	for i := range cap(statuses) {
		all.Go(func() {
			statuses <- replicas[i%2].Post(t, "/api/auth/register", "", map[string]any{"name": "An", "email": "an@example.com", "password": "secret1"}).Status
		})
	}
	all.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if diff := cmp.Diff(map[int]int{201: 1, 400: 9}, count); diff != "" {
		t.Errorf("answers by status (-want +got):\n%s", diff)
	}
	if reply := replicas[0].Login(t, "second@example.com"); reply.JSON["isAdmin"] != false {
		t.Error("the second account is an administrator")
	}
	var first struct{ Role string }
	if err := db.Collection(authmongo.UsersCollection).FindOne(t.Context(), bson.D{{Key: "email", Value: "an@example.com"}}).Decode(&first); err != nil || first.Role != "ADMIN" {
		t.Errorf("role of the first account = %q, %v, want ADMIN", first.Role, err)
	}
}
