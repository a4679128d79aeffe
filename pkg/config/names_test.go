package config_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/config"
)

// TestUnknownNames are told with the name that is nearest.
func TestUnknownNames(t *testing.T) {
	t.Parallel()
	const environment, path = "environment", "PATH"
	told := func(name, place, mend string) string {
		if place == environment {
			place = "the environment"
		}
		return name + " in " + place + " is unknown and has no effect: " + mend
	}
	for name, test := range map[string]struct {
		file, text  string
		environment variables
		want        []string
	}{
		"letters that changed places": {"a.env", "JWT_SECERT_KEY=hunter2", nil, []string{told("JWT_SECERT_KEY", path, "rename it to JWT_SECRET_KEY, or remove it")}},
		"near an old name":            {"a.env", "OLD_SECRETS=hunter2", nil, []string{told("OLD_SECRETS", path, "rename it to JWT_SECRET_KEY, or remove it")}},
		"small letters":               {"a.yaml", "port: 1", nil, []string{told("port", path, "rename it to PORT, or remove it")}},
		"both cases":                  {"a.yaml", "port: 1\nPORT: 2\nPort: 3", nil, []string{told("Port", path, "rename it to PORT, or remove it"), told("port", path, "rename it to PORT, or remove it")}},
		"camel":                       {"a.json", `{"jwtSecretKey": "hunter2"}`, nil, []string{told("jwtSecretKey", path, "rename it to JWT_SECRET_KEY, or remove it")}},
		"hyphens":                     {"a.toml", "jwt-secret-key = 'hunter2'", nil, []string{told("jwt-secret-key", path, "rename it to JWT_SECRET_KEY, or remove it")}},
		"like none":                   {"a.env", "TOTALLY_DIFFERENT=hunter2", nil, []string{told("TOTALLY_DIFFERENT", path, "remove it")}},
		"another program's":           {"a.env", "WORKER_CONCURRENCY=1\nAGENDA_PROCESS_EVERY=1\nREADER_PASSWORD=hunter2", nil, nil},
		"near another program's":      {"a.env", "BACKUP_DRI=x", nil, []string{told("BACKUP_DRI", path, "rename it to BACKUP_DIR, or remove it")}},
		"near another's old name":     {"a.env", "AGENDA_PROCES_EVERY=1s", nil, []string{told("AGENDA_PROCES_EVERY", path, "rename it to WORKER_POLL_INTERVAL, or remove it")}},
		"retired":                     {"a.env", "WORKER_ID=1", nil, []string{"WORKER_ID of the Node backend have no effect here: remove them"}},
		"near a retired one":          {"a.env", "SESSION_SECRETS=1", nil, []string{told("SESSION_SECRETS", path, "remove it")}},
		"maybe parts of a secret": {"a.env", "A='b\nc'\nMIIEhunter2==\nd=\n", nil, []string{
			"PATH has names that are not those of settings and have no effect, 3 in number; they are not shown, since they may be parts of secrets: look for a value that goes on in the next line",
		}},
		"groups": {"a.yaml", "mongodb:\n  uri: hunter2\nMONGODB_UR:\n  X: hunter2", nil, []string{
			told("MONGODB_UR", path, "rename it to MONGODB_URI, or remove it"),
			"PATH has names that are not those of settings and have no effect, 1 in number; they are not shown, since they may be parts of secrets: look for a value that goes on in the next line",
		}},
		"environment": {"a.env", "", variables{
			"WORKER_CONCURENCY": "hunter2", "MONGODB_URL": "hunter2", "API_KEY": "hunter2", "PATH": "/bin", "POR": "1", "port": "1", "WORKER_PORT": "1", "NODE_OPTIONS": "x",
		}, []string{
			told("API_KEY", environment, "remove it"),
			told("MONGODB_URL", environment, "rename it to MONGODB_URI, or remove it"),
			told("WORKER_CONCURENCY", environment, "rename it to WORKER_CONCURRENCY, or remove it"),
		}},
		"service links": {"a.env", "", variables{
			"REDIS_SERVICE_HOST": "10.0.0.1", "REDIS_SERVICE_PORT": "6379", "REDIS_SERVICE_PORT_TCP_REDIS": "6379", "API_PORT": "tcp://10.0.0.1:80",
			"API_PORT_80_TCP": "tcp://10.0.0.1:80", "API_PORT_80_TCP_PROTO": "tcp", "API_PORT_80_TCP_PORT": "80", "API_PORT_80_TCP_ADDR": "10.0.0.1",
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, test.file, test.text)
			environment := variables{"CONFIG_FILE": path, "JWT_SECRET_KEY": "x"}
			maps.Copy(environment, test.environment)
			var warnings []string
			if err := config.Load(new(settings), config.Options{Environment: environment, Warnings: &warnings}); err != nil {
				t.Fatalf("Load: %v", err)
			}
			for i := range warnings {
				warnings[i] = strings.ReplaceAll(warnings[i], path, "PATH")
			}
			if diff := cmp.Diff(test.want, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if text := strings.Join(warnings, ""); strings.Contains(text, "hunter2") {
				t.Errorf("a value is shown: %s", text)
			}
		})
	}
}

// TestUnknownNamesInTheReport: who has written a name wrongly reads so beside the
// sentence that it is not set.
func TestUnknownNamesInTheReport(t *testing.T) {
	t.Parallel()
	path := file(t, "a.yaml", "JWT_SECERT_KEY: hunter2")
	_, err := load(t, variables{"CONFIG_FILE": path})
	want := `the configuration is not valid:
  - JWT_SECRET_KEY is not set: set it (signs access tokens)
  - JWT_SECERT_KEY in ` + path + ` is unknown and has no effect: rename it to JWT_SECRET_KEY, or remove it`
	if err == nil || err.Error() != want {
		t.Errorf("error = %v\nwant %s", err, want)
	}
}
