package compose_test

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/etrainer/backend/tools/deploy/internal/template"
)

// leftOut are the variables that a program knows and compose.yaml does not pass
// on, each with the reason.
var leftOut = map[string]map[string]string{
	"api": {
		"ENABLE_CLUSTERING": "more containers do the same", "WORKER_COUNT": "more containers do the same",
		"MONGODB_FALLBACK": "there is one database",
		"REDIS_HOST":       "REDIS_URL comes first", "REDIS_PORT": "REDIS_URL comes first", "REDIS_PASSWORD": "REDIS_URL comes first",
		"API_HOST": "the port is not published, and nginx needs it",
	},
	"worker": {
		"ENABLE_CLUSTERING": "more containers do the same", "WORKER_COUNT": "more containers do the same",
		"MONGODB_FALLBACK": "there is one database",
		"REDIS_HOST":       "REDIS_URL comes first", "REDIS_PORT": "REDIS_URL comes first", "REDIS_PASSWORD": "REDIS_URL comes first",
		"WORKER_HOST":                   "the port is not published, and Prometheus needs it",
		"FIREBASE_SERVICE_ACCOUNT_PATH": "there is no such file in the container; its parts are passed on",
	},
	"migrate": {
		"READER_PASSWORD":       "for one run: docker compose run -e READER_PASSWORD migrate create-reader",
		"MONGODB_MAX_POOL_SIZE": "it needs few", "MONGODB_MIN_POOL_SIZE": "it needs few", "SLOW_QUERY_THRESHOLD_MS": "it is slow at times",
		"MONGODB_FALLBACK": "there is one database",
	},
}

var tag = regexp.MustCompile(`env:"([A-Z][A-Z0-9_]*)`)

// known are the variables of each program: the template for two of them, which
// their own tests hold to the code, and the code itself for migrate.
func known(t *testing.T) map[string]map[string]bool {
	t.Helper()
	sections, err := template.Sections(root)
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]map[string]bool{"migrate": {}}
	for _, program := range []string{"api", "worker"} {
		programs[program] = maps.Clone(sections["both"])
		maps.Copy(programs[program], sections[program])
	}
	files, err := filepath.Glob(root + "/migrations/cmd/migrate/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, root+"/pkg/mongodb/env.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range tag.FindAllStringSubmatch(string(text), -1) {
			programs["migrate"][m[1]] = true
		}
	}
	return programs
}

// TestVariables: a program gets what it knows and nothing else, and what it does
// not get is left out on purpose.
func TestVariables(t *testing.T) {
	t.Parallel()
	goRuntime := map[string]bool{"GOMEMLIMIT": true}
	project := load(t, whole, nil)
	for program, knows := range known(t) {
		gets, out := project.Services[program].Environment, leftOut[program]
		for name := range gets {
			if !knows[name] && !goRuntime[name] {
				t.Errorf("%s does not know %s", program, name)
			}
		}
		for name := range knows {
			// One database, that of this file.
			atlas := strings.HasPrefix(name, "MONGODB_ATLAS_")
			_, passed := gets[name]
			if left := out[name] != "" || atlas; passed == left {
				t.Errorf("%s of %s: passed on %v, left out on purpose %v", name, program, passed, left)
			}
		}
		for name := range out {
			if !knows[name] {
				t.Errorf("%s is left out, and %s does not know it", name, program)
			}
		}
	}
}

// TestPassedOn: a setting of .env reaches the program, and one that is not there
// does not, so that the program's default holds.
func TestPassedOn(t *testing.T) {
	t.Parallel()
	got := environment(load(t, whole, map[string]string{"CLOUDINARY_CLOUD_NAME": "demo", "BACKUP_DIR": ""}).Services["api"])
	if got["CLOUDINARY_CLOUD_NAME"] != "demo" {
		t.Errorf("api: %v", got)
	}
	if value, ok := got["BCRYPT_ROUNDS"]; ok {
		t.Errorf("BCRYPT_ROUNDS is %q, and nobody set it", value)
	}
	for set, want := range map[string]string{"-": "/backups", "": ""} {
		if got := environment(load(t, whole, map[string]string{"BACKUP_DIR": set}).Services["worker"]); got["BACKUP_DIR"] != want {
			t.Errorf("BACKUP_DIR is %q, want %q", got["BACKUP_DIR"], want)
		}
	}
}

// TestNoDefaults: without a secret nothing is loaded, and the error names it and
// what mends it. Nor is a secret part of what a service gets that does not need it.
func TestNoDefaults(t *testing.T) {
	t.Parallel()
	made, err := settings()
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range made {
		for _, value := range []string{"-", ""} {
			_, err := read(t, whole, map[string]string{name: value})
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `run "make env"`) {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
		text, err := os.ReadFile(root + "/compose.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) && isSecret(name) {
			t.Errorf("%s stands in compose.yaml", name)
		}
	}
	// What looks like a password has one of these as its source.
	for name, service := range load(t, whole, nil, everything).Services {
		for variable, value := range environment(service) {
			if !isSecret(variable) {
				continue
			}
			if !slices.Contains(slices.Collect(maps.Values(made)), value) {
				t.Errorf("%s: %s does not come from .env", name, variable)
			}
		}
	}
	// The databases' own passwords stay with those who log in.
	users := map[string][]string{
		"MONGO_ROOT_PASSWORD": {"replicaset"}, "MONGO_KEY": {"mongo1", "mongo2", "mongo3", "replicaset"},
		"MONGO_API_PASSWORD": {"api", "replicaset"}, "MONGO_WORKER_PASSWORD": {"replicaset", "worker"},
		"MONGO_MIGRATE_PASSWORD": {"migrate", "replicaset"}, "MONGO_VIEWER_PASSWORD": {"mongo-express", "replicaset"},
		"JWT_SECRET_KEY": {"api"}, "JWT_REFRESH_SECRET": {"api"}, "BOOTSTRAP_SECRET": {"api"}, "GRAFANA_PASSWORD": {"grafana"},
		"REDIS_PASSWORD": {"api", "redis", "redis-commander", "worker"}, "TOOLS_PASSWORD": {"mongo-express", "redis-commander"},
	}
	for secret, want := range users {
		var got []string
		for name, service := range load(t, whole, nil, everything).Services {
			for _, value := range environment(service) {
				if strings.Contains(value, made[secret]) {
					got = append(got, name)
				}
			}
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s is known to %v, want %v", secret, got, want)
		}
	}
	for name := range made {
		if _, ok := users[name]; isSecret(name) && !ok {
			t.Errorf("it is not said who may know %s", name)
		}
	}
}

var secretName = regexp.MustCompile(`PASSWORD|SECRET|_KEY$|_AUTH$`)

func isSecret(name string) bool { return secretName.MatchString(name) }

// TestAddresses: every address leads to services that exist, as the user that the
// replica set's script makes.
func TestAddresses(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(root + "/deploy/mongodb/replicaset.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range [][]string{whole, small} {
		project := load(t, files, nil, everything)
		members := environment(project.Services["replicaset"])["MONGO_MEMBERS"]
		for service, user := range map[string]string{"api": "api", "worker": "worker", "migrate": "migrate", "mongo-express": "viewer"} {
			got := environment(project.Services[service])
			address, err := url.Parse(got["MONGODB_URI"] + got["ME_CONFIG_MONGODB_URL"])
			if err != nil {
				t.Fatal(err)
			}
			if address.Host != members || address.User.Username() != user || address.Path != "/etrainer" || address.RawQuery != "replicaSet=rs0&authSource=admin" {
				t.Errorf("%v: %s goes to %s", files, service, address.Redacted())
			}
			if !strings.Contains(string(script), `name: "`+user+`"`) {
				t.Errorf("nobody makes the user %s", user)
			}
		}
		for member := range strings.SplitSeq(members, ",") {
			if _, ok := project.Services[strings.TrimSuffix(member, ":27017")]; !ok {
				t.Errorf("%v: there is no member %s", files, member)
			}
		}
	}
}

// TestMistakes: what would be a surprise in Docker is one here.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an unknown key":        "services: {api: {replica: 3}}",
		"an unknown dependency": "services: {api: {depends_on: {nobody: {condition: service_started}}}}",
		"an unknown network":    "services: {api: {networks: [nowhere]}}",
		"a bad port":            `services: {nginx: {ports: ["http:80"]}}`,
	} {
		file := filepath.Join(t.TempDir(), "more.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			absolute, _ := filepath.Abs(root)
			relative, err = filepath.Rel(absolute, file)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(t, append(slices.Clone(whole), relative), nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
