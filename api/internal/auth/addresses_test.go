package auth_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func login(t *testing.T, api *apitest.API, email, password string) apitest.Reply {
	t.Helper()
	return api.Post(t, "/api/auth/login", "", map[string]any{"email": email, "password": password})
}

func register(t *testing.T, api *apitest.API, email, phone, password string) apitest.Reply {
	t.Helper()
	return api.Post(t, "/api/auth/register", "", map[string]any{"name": "An", "email": email, "phone": phone, "password": password})
}

// TestAddressesAreComparedWithoutCase, also those of accounts that Node makes
// while we run; what is shown is what was typed.
func TestAddressesAreComparedWithoutCase(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	wantStatus(t, "registration", register(t, api, "Lan@Example.com", "", apitest.Password), http.StatusCreated)
	node(t, db, bson.M{"name": "Node", "email": "Node@Example.com", "password": hash(t, "secret1"), "role": "USER"})
	for _, test := range []struct{ typed, password, shown string }{
		{"Lan@Example.com", apitest.Password, "Lan@Example.com"},
		{"lan@example.com", apitest.Password, "Lan@Example.com"},
		{"LAN@EXAMPLE.COM", apitest.Password, "Lan@Example.com"},
		{"node@example.com", "secret1", "Node@Example.com"},
		{"nODE@eXAMPLE.com", "secret1", "Node@Example.com"},
	} {
		reply := login(t, api, test.typed, test.password)
		wantStatus(t, "login of "+test.typed, reply, http.StatusOK)
		if user, _ := reply.JSON["user"].(map[string]any); user["email"] != test.shown || user["emailKey"] != nil {
			t.Errorf("login of %s shows %v", test.typed, user)
		}
	}
	wantStatus(t, "login with a wrong password", login(t, api, "LAN@example.com", "secret1"), http.StatusUnauthorized)
	node(t, db, bson.M{"name": "Late", "email": "Late@Example.com", "password": hash(t, "secret1")})
	for _, taken := range []string{"lan@example.com", "NODE@example.com", "late@EXAMPLE.com"} {
		reply := register(t, api, taken, "", apitest.Password)
		wantStatus(t, "registration of "+taken, reply, http.StatusBadRequest)
		if reply.JSON["error"] != "Email or phone already exists" {
			t.Errorf("registration of %s: %s", taken, reply.Text)
		}
	}
}

// TestAccountsThatDifferInCaseGoOn: each is reached by its own spelling, and the
// others lead to the one in small letters, or the oldest.
func TestAccountsThatDifferInCaseGoOn(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	for _, email := range []string{"An@example.com", "an@example.com", "AN@example.com", "Binh@example.com", "BINH@example.com"} {
		node(t, db, bson.M{"name": email, "email": email, "password": hash(t, "of "+email)})
	}
	for typed, account := range map[string]string{
		"An@example.com": "An@example.com", "an@example.com": "an@example.com", "AN@example.com": "AN@example.com",
		"aN@example.com": "an@example.com", "Binh@example.com": "Binh@example.com", "BINH@example.com": "BINH@example.com", "binh@example.com": "Binh@example.com",
	} {
		reply := login(t, api, typed, "of "+account)
		if user, _ := reply.JSON["user"].(map[string]any); reply.Status != http.StatusOK || user["email"] != account {
			t.Errorf("login of %s: %d %s, want the account %s", typed, reply.Status, reply.Text, account)
		}
	}
	wantStatus(t, "registration of another spelling", register(t, api, "bInh@example.com", "", apitest.Password), http.StatusBadRequest)
}

// TestGoogleFindsAnAddressOfAnotherCase, and makes no second account.
func TestGoogleFindsAnAddressOfAnotherCase(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{Auth: []auth.Option{google(t)}})
	api.Login(t, "AN@Gmail.com")
	wantStatus(t, "login with Google", api.Post(t, "/api/auth/google", "", `{"token":"an"}`), http.StatusOK)
	if n, err := db.Collection(authmongo.UsersCollection).CountDocuments(t.Context(), bson.M{}); n != 1 || err != nil {
		t.Errorf("%d accounts, %v, want 1", n, err)
	}
}

// TestOnePhoneAndOneAddressAtOnce lets many register at two replicas.
func TestOnePhoneAndOneAddressAtOnce(t *testing.T) {
	t.Parallel()
	spellings := []string{"an@example.com", "An@example.com", "AN@example.com", "aN@example.com", "an@Example.com", "an@EXAMPLE.com", "an@example.COM", "AN@EXAMPLE.COM"}
	for name, who := range map[string]func(i int) (email, phone string){
		"one phone number":               func(i int) (string, string) { return fmt.Sprintf("user%d@example.com", i), "0901" },
		"one address in eight spellings": func(i int) (string, string) { return spellings[i], "" },
		"both":                           func(i int) (string, string) { return spellings[i], "0901" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := mongotest.Database(t)
			replicas := []*apitest.API{apitest.Start(t, db, apitest.Options{}), apitest.Start(t, db, apitest.Options{})}
			replicas[0].Login(t, "first@example.com")
			var all sync.WaitGroup
			statuses := make(chan int, len(spellings))
			for i := range cap(statuses) {
				email, phone := who(i)
				all.Go(func() { statuses <- register(t, replicas[i%2], email, phone, "secret1").Status })
			}
			all.Wait()
			close(statuses)
			count := map[int]int{}
			for status := range statuses {
				count[status]++
			}
			if diff := cmp.Diff(map[int]int{201: 1, 400: 7}, count); diff != "" {
				t.Errorf("answers by status (-want +got):\n%s", diff)
			}
			if n, err := db.Collection(authmongo.ClaimsCollection).CountDocuments(t.Context(), bson.M{"settled": bson.M{"$exists": false}}); n != 0 || err != nil {
				t.Errorf("%d reservations are left, %v", n, err)
			}
		})
	}
}

// TestRulesRefuseBlanks.
func TestRulesRefuseBlanks(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	for body, message := range map[string]string{
		`{"name":"   ","email":"a@example.com","password":"secret1"}`:                   `"name" is not allowed to be blank`,
		`{"fullName":"\t\u00a0\n","email":"a@example.com","password":"secret1"}`:        `"fullName" is not allowed to be blank`,
		`{"name":"An","email":"a@example.com","password":"      "}`:                     `"password" is not allowed to be blank`,
		`{"name":"An","email":"a@example.com","password":"\u3000\u3000\u3000\u3000  "}`: `"password" is not allowed to be blank`,
		`{"name":"An","email":"a@example.com","phone":"   ","password":"secret1"}`:      `"phone" may hold digits, spaces and + - ( ) only`,
		`{"name":"An","email":"a@example.com","phone":"+-()","password":"secret1"}`:     `"phone" may hold digits, spaces and + - ( ) only`,
	} {
		reply := api.Post(t, "/api/auth/register", "", body)
		if reply.Status != http.StatusBadRequest || reply.JSON["message"] != message {
			t.Errorf("%s: %d %s, want %q", body, reply.Status, reply.Text, message)
		}
	}
	wantStatus(t, "blanks within", register(t, api, "b@example.com", "09 01", "se cr et"), http.StatusCreated)
	wantStatus(t, "login with them", login(t, api, "b@example.com", "se cr et"), http.StatusOK)
}

// TestAllOfALongPasswordCounts where it was chosen here; of one that Node hashed
// the first 72 bytes do.
func TestAllOfALongPasswordCounts(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	beginning := strings.Repeat("a", 72)
	long := beginning + "-this-part-counts"
	wantStatus(t, "registration", register(t, api, "an@example.com", "", long), http.StatusCreated)
	node(t, db, bson.M{"name": "Node", "email": "node@example.com", "password": hash(t, beginning)})
	for password, want := range map[string]int{long: 200, beginning + "ZZZ": 401, beginning: 401, long + "x": 401, beginning[:71]: 401} {
		wantStatus(t, "login with "+password, login(t, api, "an@example.com", password), want)
	}
	for password, want := range map[string]int{long: 200, beginning + "ZZZ": 200, beginning: 200, beginning[:71]: 401} {
		wantStatus(t, "login of Node's account with "+password, login(t, api, "node@example.com", password), want)
	}
	wantStatus(t, "registration with 72 bytes", register(t, api, "b@example.com", "", beginning), http.StatusCreated)
	var stored struct{ Password string }
	if err := db.Collection(authmongo.UsersCollection).FindOne(t.Context(), bson.M{"email": "b@example.com"}).Decode(&stored); err != nil || !strings.HasPrefix(stored.Password, "$2b$") {
		t.Errorf("72 bytes are stored as %q, %v, which Node cannot check", stored.Password, err)
	}
}
