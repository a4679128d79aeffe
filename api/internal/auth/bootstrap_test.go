package auth_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

const bootstrapSecret = "f3b1c5d7e9a2468013579bdfeca86420"

func withSecret(t *testing.T, api *apitest.API, email, secret string) apitest.Reply {
	t.Helper()
	return api.Post(t, "/api/auth/register", "", map[string]any{"name": "An", "email": email, "password": apitest.Password, "bootstrapSecret": secret})
}

// TestBootstrapSecret: where one is set, being the first is not enough.
func TestBootstrapSecret(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Auth: []auth.Option{auth.WithBootstrap(bootstrapSecret), google(t)}})
	if api.Login(t, "first@example.com").JSON["isAdmin"] != false {
		t.Error("the first account is an administrator's without the secret")
	}
	wantStatus(t, "login with Google", api.Post(t, "/api/auth/google", "", `{"token":"an"}`), http.StatusOK)
	wantStatus(t, "a wrong secret", withSecret(t, api, "wrong@example.com", bootstrapSecret[1:]+"0"), http.StatusForbidden)
	wantStatus(t, "a taken address", withSecret(t, api, "FIRST@example.com", bootstrapSecret), http.StatusBadRequest)
	wantStatus(t, "the secret", withSecret(t, api, "admin@example.com", bootstrapSecret), http.StatusCreated)
	if api.Login(t, "admin@example.com").JSON["isAdmin"] != true {
		t.Error("the secret made no administrator")
	}
	again := withSecret(t, api, "second@example.com", bootstrapSecret)
	wantStatus(t, "the secret again", again, http.StatusForbidden)
	wantStatus(t, "who was refused", login(t, api, "second@example.com", apitest.Password), http.StatusUnauthorized)
	wantStatus(t, "an empty secret", withSecret(t, api, "third@example.com", ""), http.StatusCreated)
}

// TestBootstrapSecretOfNoDeployment is no way to become an administrator.
func TestBootstrapSecretOfNoDeployment(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	wantStatus(t, "a secret where none is set", withSecret(t, api, "an@example.com", bootstrapSecret), http.StatusForbidden)
	if api.Login(t, "first@example.com").JSON["isAdmin"] != true {
		t.Error("the first account is no administrator's")
	}
}

// TestOneBootstrap lets many register with the secret at two replicas.
func TestOneBootstrap(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	options := apitest.Options{Auth: []auth.Option{auth.WithBootstrap(bootstrapSecret)}}
	replicas := []*apitest.API{apitest.Start(t, db, options), apitest.Start(t, db, options)}
	replicas[0].Login(t, "user@example.com")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if reply := withSecret(t, replicas[i%2], fmt.Sprintf("user%d@example.com", i), bootstrapSecret); reply.Status != http.StatusCreated && reply.Status != http.StatusForbidden {
				t.Errorf("%d %s", reply.Status, reply.Text)
			}
		})
	}
	all.Wait()
	if n, err := db.Collection(authmongo.UsersCollection).CountDocuments(t.Context(), bson.M{"role": "ADMIN"}); n != 1 || err != nil {
		t.Errorf("%d administrators, %v, want 1", n, err)
	}
}

// TestOperators do with accounts what no route does.
func TestOperators(t *testing.T) {
	t.Parallel()
	clock := newHands()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: clock.now, Auth: []auth.Option{auth.WithBootstrap(bootstrapSecret), google(t)}})
	hasAdmin := func(want bool) {
		t.Helper()
		if there, err := api.Accounts.HasAdmin(t.Context()); there != want || err != nil {
			t.Errorf("HasAdmin = %t, %v, want %t", there, err, want)
		}
		if got := api.Accounts.WarnWithoutAdmin(t.Context()); got != want {
			t.Errorf("WarnWithoutAdmin = %t, want %t", got, want)
		}
	}
	hasAdmin(false)
	user := api.Token(t, "an@example.com")
	wantStatus(t, "before the grant", api.Get(t, adminRoute, user), http.StatusForbidden)
	if _, err := api.Accounts.GrantAdmin(t.Context(), "AN@example.com"); err != nil {
		t.Fatal(err)
	}
	hasAdmin(true)
	wantStatus(t, "after the grant", api.Get(t, adminRoute, user), http.StatusOK)

	if _, err := api.Accounts.CreateAdmin(t.Context(), "An", "an@gmail.com", apitest.Password); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "login with Google", api.Post(t, "/api/auth/google", "", `{"token":"an"}`), http.StatusOK)
	made := login(t, api, "an@gmail.com", apitest.Password) // whose owner the operator knows
	wantStatus(t, "login of who an operator made", made, http.StatusOK)
	if made.JSON["isAdmin"] != true {
		t.Errorf("made %s", made.Text)
	}
	if _, err := api.Accounts.EndSessions(t.Context(), "an@example.com"); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "after the end", api.Get(t, adminRoute, user), http.StatusUnauthorized)

	for name, err := range map[string]error{
		"a taken address":  second(api.Accounts.CreateAdmin(t.Context(), "An", "An@Example.com", apitest.Password)),
		"a short password": second(api.Accounts.CreateAdmin(t.Context(), "An", "b@example.com", "x")),
		"no address":       second(api.Accounts.CreateAdmin(t.Context(), "An", "b", apitest.Password)),
		"grant to nobody":  second(api.Accounts.GrantAdmin(t.Context(), "nobody@example.com")),
		"end of nobody's":  second(api.Accounts.EndSessions(t.Context(), "000000000000000000000000")),
	} {
		if err == nil {
			t.Errorf("%s did not fail", name)
		}
	}
}

func second(_ auth.User, err error) error { return err }
